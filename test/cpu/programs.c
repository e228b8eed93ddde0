// Programs for the core, compiled for RV32IMC and for the machine that runs the tests; both must print the same numbers.
// `result` is 64 words: what each part computed. Nothing but 32-bit and 64-bit integers, so that both agree.

#include <stdint.h>

uint32_t result[64];

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* FIPS 180-4, 6.2.2. */
static void sha256_block(uint32_t *h, const uint8_t *p) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
  for (int i = 0; i < 8; i++) s[i] = h[i];
  for (int i = 0; i < 64; i++) {
    uint32_t e = s[4], a = s[0];
    uint32_t t = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + K[i] + w[i];
    uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    for (int j = 7; j > 0; j--) s[j] = s[j - 1];
    s[4] += t;
    s[0] = t + u;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

/* SHA-256 of 4096 bytes i * 7, so that the test can compare with its own library. */
static void sha256(uint32_t *out) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  static uint8_t data[4096 + 64];
  for (int i = 0; i < 4096; i++) data[i] = (uint8_t)(i * 7);
  data[4096] = 0x80;
  data[4096 + 62] = 4096 * 8 >> 8;
  for (int i = 0; i < 8; i++) out[i] = initial[i];
  for (int i = 0; i <= 4096; i += 64) sha256_block(out, data + i);
}

static uint32_t state = 12345;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

/* Matrices of 16-bit numbers, multiplied with wrap-around: multiplications, signed loads. */
static uint32_t matrix(void) {
  static int16_t a[24][24], b[24][24];
  static int32_t c[24][24];
  uint32_t sum = 0;
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) a[i][j] = (int16_t)(next() >> 16), b[i][j] = (int16_t)(next() >> 16);
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) {
      uint32_t dot = 0;
      for (int k = 0; k < 24; k++) dot += (uint32_t)(a[i][k] * b[k][j]);
      c[i][j] = (int32_t)dot;
      sum = sum * 33 + (uint32_t)(c[i][j] >> 3) % 977;
    }
  return sum;
}

struct item {
  struct item *next;
  int16_t key;
  uint8_t tag;
};

/* A linked list, built, reversed and sorted by merging: pointers, bytes, unpredictable branches, recursion. */
static struct item *merge(struct item *a, struct item *b) {
  struct item head, *tail = &head;
  while (a && b) {
    struct item **least = a->key <= b->key ? &a : &b;
    tail = tail->next = *least;
    *least = (*least)->next;
  }
  tail->next = a ? a : b;
  return head.next;
}

static struct item *sort(struct item *list) {
  if (!list || !list->next) return list;
  struct item *slow = list, *fast = list->next;
  while (fast && (fast = fast->next)) slow = slow->next, fast = fast->next;
  struct item *half = slow->next;
  slow->next = 0;
  return merge(sort(list), sort(half));
}

static uint32_t list(void) {
  static struct item items[500];
  struct item *head = 0;
  uint32_t sum = 0;
  for (int i = 0; i < 500; i++) {
    items[i].key = (int16_t)(next() >> 13);
    items[i].tag = (uint8_t)i;
    items[i].next = head;
    head = &items[i];
  }
  for (struct item *p = sort(head); p; p = p->next) sum = sum * 31 + (uint16_t)p->key + p->tag;
  return sum;
}

static uint16_t crc16(uint16_t crc, uint8_t byte) {
  for (int i = 0; i < 8; i++, byte >>= 1) crc = (crc ^ byte) & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
  return crc;
}

/* A state machine over text, by a switch that becomes a jump table. */
static uint32_t scan(void) {
  static const char text[] = "12 -7 0x1f 3.25 +99 abc 1e9 -0 5,6,7 0xzz 42";
  uint32_t counts[6] = {0}, kind = 0;
  for (int round = 0; round < 20; round++)
    for (const char *p = text; *p; p++) {
      switch (kind) {
        case 0: kind = *p == '-' || *p == '+' ? 1 : *p >= '0' && *p <= '9' ? 2 : 5; break;
        case 1: kind = *p >= '0' && *p <= '9' ? 2 : 5; break;
        case 2: kind = *p == '.' ? 3 : *p == 'x' ? 4 : *p == ' ' || *p == ',' ? 0 : *p >= '0' && *p <= '9' ? 2 : 5; break;
        case 3: kind = *p == ' ' ? 0 : *p >= '0' && *p <= '9' ? 3 : 5; break;
        case 4: kind = *p == ' ' ? 0 : (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f') ? 4 : 5; break;
        default: kind = *p == ' ' ? 0 : 5;
      }
      counts[kind]++;
    }
  uint16_t crc = 0xffff;
  for (int i = 0; i < 6; i++)
    for (int b = 0; b < 32; b += 8) crc = crc16(crc, (uint8_t)(counts[i] >> b));
  return crc;
}

/* 64-bit division and multiplication: the compiler's own library routines. */
static uint32_t wide(void) {
  uint64_t a = 0x123456789abcdef1ull, sum = 0;
  for (uint32_t i = 1; i < 200; i++) {
    a = a * 6364136223846793005ull + i;
    sum += a / (i * 7919ull) ^ (uint64_t)((int64_t)a / (int32_t)(i * 31 - 3000)) ^ a % (i << 20 | 7);
  }
  return (uint32_t)(sum ^ sum >> 32);
}

void compute(int rounds) {
  for (int i = 0; i < rounds; i++) {
    sha256(result);
    result[8] ^= matrix();
    result[9] ^= list();
    result[10] ^= scan();
    result[11] ^= wide();
    result[12] = state;
  }
}

#ifdef BARE
volatile uint32_t tohost;
uint8_t stack[65536] __attribute__((aligned(16)));

/* The compiler calls it for initialisers. */
void *memset(void *to, int value, unsigned long n) {
  for (volatile uint8_t *p = to; n; n--) *p++ = (uint8_t)value;
  return to;
}

void main(void) {
  compute(ROUNDS);
  tohost = 1;
  for (;;);
}

__attribute__((naked, section(".text.start"))) void _start(void) {
  __asm__(".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n la sp, stack + 65536\n call main");
}

#else
#include <stdio.h>
int main(void) {
  compute(ROUNDS);
  for (int i = 0; i < 64; i++) printf("%u\n", result[i]);
  return 0;
}
#endif
