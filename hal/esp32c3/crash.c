// What stopped the machine: written to RTC fast memory, which every reset but power-on leaves alone, and printed at the
// next start.

#include "machine.h"
#include "registers.h"

#define SW_SYS_RST BIT(31)
#define MAGIC 0x4E4D4352u /* "NMCR" */

struct crash {
  uint32_t magic, kind;
  uint32_t code; // mcause, the wasm trap's number or the reset's reason
  uint32_t pc;
  uint32_t address; // mtval: the address or instruction at fault
  uint32_t sp, ticks_low, ticks_high;
  uint32_t count; // stops since power-on
  uint32_t check;
};

#define CRASH ((volatile struct crash *)0x50000000)

uint8_t crash_stack[512] __attribute__((aligned(16), section(".bss.crash_stack")));
__asm__(".globl crash_stack_top\n.set crash_stack_top, crash_stack + 512");

static inline __attribute__((always_inline)) uint32_t check(const volatile struct crash *record) {
  const volatile uint32_t *words = (const volatile uint32_t *)record;
  uint32_t sum = 0;
  for (unsigned i = 0; i < sizeof *record / 4 - 1; i++) sum = (sum << 5 | sum >> 27) ^ words[i];
  return sum;
}

static inline __attribute__((always_inline)) bool is_valid(void) { return CRASH->magic == MAGIC && CRASH->check == check(CRASH); }

/** In RAM, with what it calls: the flash may be busy. */
IN_RAM void crash_stop(enum crash_kind kind, uint32_t code, uint32_t pc, uint32_t address, uint32_t sp) {
  __asm__ volatile("csrci mstatus, 8");
  EXTMEM_ICACHE_CTRL |= BIT(0);
  const uint64_t now = systimer_ticks();
  const uint32_t count = is_valid() ? CRASH->count + 1 : 1;
  struct crash record = {MAGIC, kind, code, pc, address, sp, (uint32_t)now, (uint32_t)(now >> 32), count, 0};
  record.check = check(&record);
  *CRASH = record;
  RTC_CNTL_OPTIONS0 |= SW_SYS_RST;
  for (;;) {
  }
}

static uint8_t line[160];
static uint32_t used;

static void say(const char *text) {
  while (*text && used < sizeof line) line[used++] = (uint8_t)*text++;
}

static void say_hex(const char *name, uint32_t value) {
  say(name);
  int digit = 28;
  while (digit > 0 && value >> digit == 0) digit -= 4;
  for (; digit >= 0; digit -= 4) say((const char[]){"0123456789abcdef"[(value >> digit) & 15], 0});
}

/** Waits at most 20 ms for a host to take it. */
static void print(void) {
  const uint64_t end = systimer_ticks() + 320000;
  for (uint32_t sent = 0; sent < used && systimer_ticks() < end;) sent += console_write(line + sent, used - sent);
}

void crash_report(void) {
  say_hex("board esp32c3 reset=", RTC_CNTL_RESET_STATE & 0x3F);
  if (is_valid() && CRASH->kind != CRASH_NONE) {
    static const char *const kinds[] = {"none", "trap", "wasm", "reset"};
    say(" last=");
    say(kinds[CRASH->kind & 3]);
    say_hex(" code=", CRASH->code);
    say_hex(" pc=", CRASH->pc);
    say_hex(" address=", CRASH->address);
    say_hex(" count=", CRASH->count);
    CRASH->kind = CRASH_NONE;
    CRASH->check = check(CRASH);
  }
  say("\n");
  print();
}
