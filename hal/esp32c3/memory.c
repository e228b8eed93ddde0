// memset, memcpy, memmove by words, in RAM: the C library's own go byte by byte (it is built for size), and wiping one
// connection's keys would take longer than everything else in a poll().

#include <stddef.h>

#include "machine.h"

typedef uint32_t __attribute__((may_alias)) word;
/** The compiler must not see memset in what is memset. */
#define BY_WORDS IN_RAM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#define MISALIGNED(address) ((uintptr_t)(address) & 3)

void *memset(void *to, int value, size_t length);
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);

BY_WORDS void *memset(void *to, int value, size_t length) {
  uint8_t *out = to;
  const uint32_t fill = (uint8_t)value * 0x01010101u;
  for (; length && MISALIGNED(out); length--) *out++ = (uint8_t)value;
  word *words = (word *)(void *)out;
  for (; length >= 32; length -= 32, words += 8) {
    words[0] = fill, words[1] = fill, words[2] = fill, words[3] = fill;
    words[4] = fill, words[5] = fill, words[6] = fill, words[7] = fill;
  }
  for (; length >= 4; length -= 4) *words++ = fill;
  out = (uint8_t *)words;
  for (; length; length--) *out++ = (uint8_t)value;
  return to;
}

/** From the lowest address on: right for overlapping areas too when `to` is the lower. */
static inline __attribute__((always_inline)) void upwards(uint8_t *out, const uint8_t *in, size_t length) {
  for (; length && MISALIGNED(out); length--) *out++ = *in++;
  word *to = (word *)(void *)out;
  const uint32_t shift = 8 * MISALIGNED(in);
  const word *from = (const word *)(const void *)(in - MISALIGNED(in));
  size_t words = length / 4;
  in += 4 * words;
  if (shift == 0) {
    for (; words >= 4; words -= 4, to += 4, from += 4) {
      const uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
      to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    }
    for (; words; words--) *to++ = *from++;
  } else if (words) {
    // Each word from the two that hold its bytes; no word is read that holds none.
    uint32_t low = *from++;
    for (; words; words--) {
      const uint32_t high = *from++;
      *to++ = low >> shift | high << (32 - shift);
      low = high;
    }
  }
  out = (uint8_t *)to;
  for (length &= 3; length; length--) *out++ = *in++;
}

BY_WORDS void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  upwards(to, from, length);
  return to;
}

BY_WORDS void *memmove(void *to, const void *from, size_t length) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if ((size_t)(out - in) >= length) {
    upwards(out, in, length);
    return to;
  }
  out += length;
  in += length;
  if (MISALIGNED(out) == MISALIGNED(in)) {
    for (; length && MISALIGNED(out); length--) *--out = *--in;
    for (; length >= 4; length -= 4) {
      out -= 4;
      in -= 4;
      *(word *)(void *)out = *(const word *)(const void *)in;
    }
  }
  for (; length; length--) *--out = *--in;
  return to;
}
