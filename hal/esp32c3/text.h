// A few words on the console before the firmware runs.

#ifndef NOONMARK_TEXT_H
#define NOONMARK_TEXT_H

#include "machine.h"

static inline void text_say(const char *text) {
  uint32_t length = 0;
  while (text[length]) length++;
  console_write((const uint8_t *)text, length);
}

static inline void text_hex(uint32_t value) {
  uint8_t digits[8];
  int i = 8;
  do {
    digits[--i] = (uint8_t) "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value);
  console_write(digits + i, (uint32_t)(8 - i));
}

#endif
