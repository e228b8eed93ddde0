// The board's own settings for `board_config` of hal/abi.ts: addresses and names from the board's file, the MAC from the eFuses.

#include <string.h>

#include "board.h"
#include "machine.h"
#include "registers.h"

#define FIXED 28u

static void put16(uint8_t *out, uint32_t value) {
  out[0] = (uint8_t)value;
  out[1] = (uint8_t)(value >> 8);
}

/** The fourth of the chip's four addresses: Espressif's rule for Ethernet. */
static void mac(uint8_t *out) {
  const uint32_t low = EFUSE_RD_MAC_SPI_SYS_0;
  const uint32_t high = EFUSE_RD_MAC_SPI_SYS_1;
  out[0] = (uint8_t)(high >> 8);
  out[1] = (uint8_t)high;
  for (int i = 0; i < 4; i++) out[2 + i] = (uint8_t)(low >> (24 - 8 * i));
  out[5] = (uint8_t)(out[5] + 3);
}

uint32_t board_config(uint8_t *out, uint32_t capacity) {
  static const uint8_t network[12] = {BOARD_ADDRESS, BOARD_MASK, BOARD_GATEWAY};
  static const char names[] = BOARD_NAMES;
  const uint32_t length = FIXED + sizeof names - 1;
  if (capacity < length) return 0;
  memset(out, 0, FIXED);
  mac(out);
  put16(out + 6, BOARD_NTP_PORT);
  put16(out + 8, BOARD_KE_PORT);
  memcpy(out + 10, network, sizeof network);
  put16(out + 24, sizeof names - 1);
  memcpy(out + FIXED, names, sizeof names - 1);
  return length;
}

uint32_t features(void) { return FEATURE_AES; }
