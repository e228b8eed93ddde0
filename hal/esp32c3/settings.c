// The board's own settings for `board_config` of hal/abi.ts: addresses and names from the settings sector of the flash, or,
// where that holds none, from the board's file; the MAC from the eFuses.
//
// The sector: "NMST" | length u32 | check u32 (FNV-1a of what follows) | settings in the form of `board_config`.

#include <string.h>

#include "board.h"
#include "machine.h"
#include "registers.h"

#define FIXED 64u
#define LAYOUT 1u
#define SECTOR_MAGIC 0x54534D4Eu
#define SECTOR_HEADER 12u
#define FLASH_DATA_BUS 0x3C000000u

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

/** The settings in the flash; 0 when there are none. */
static uint32_t from_flash(uint8_t *out, uint32_t capacity) {
  const uint8_t *sector = (const uint8_t *)(FLASH_DATA_BUS + BOARD_FLASH_SETTINGS_OFFSET);
  uint32_t header[3];
  memcpy(header, sector, sizeof header);
  const uint32_t length = header[1];
  if (header[0] != SECTOR_MAGIC || length < FIXED || length > capacity) return 0;
  if (length > BOARD_FLASH_SETTINGS_SIZE - SECTOR_HEADER) return 0;
  uint32_t hash = 0x811C9DC5u;
  for (uint32_t i = 0; i < length; i++) hash = (hash ^ sector[SECTOR_HEADER + i]) * 0x01000193u;
  if (hash != header[2] || sector[SECTOR_HEADER + 22] != LAYOUT) return 0;
  memcpy(out, sector + SECTOR_HEADER, length);
  return length;
}

static uint32_t factory(uint8_t *out, uint32_t capacity) {
  static const uint8_t network[12] = {BOARD_ADDRESS, BOARD_MASK, BOARD_GATEWAY};
  static const int32_t calibration[9] = {BOARD_CALIBRATION};
  static const char names[] = BOARD_NAMES, options[] = BOARD_OPTIONS;
  const uint32_t length = FIXED + sizeof names - 1 + sizeof options - 1;
  if (capacity < length) return 0;
  memset(out, 0, FIXED);
  put16(out + 6, BOARD_NTP_PORT);
  put16(out + 8, BOARD_KE_PORT);
  memcpy(out + 10, network, sizeof network);
  out[22] = LAYOUT;
  put16(out + 24, sizeof names - 1);
  put16(out + 26, sizeof options - 1);
  memcpy(out + 28, calibration, sizeof calibration);
  memcpy(out + FIXED, names, sizeof names - 1);
  memcpy(out + FIXED + sizeof names - 1, options, sizeof options - 1);
  return length;
}

uint32_t board_config(uint8_t *out, uint32_t capacity) {
  uint32_t length = from_flash(out, capacity);
  if (!length) length = factory(out, capacity);
  if (length) mac(out);
  return length;
}

uint32_t features(void) { return FEATURE_AES | (BOARD_RTC_SQW_BIT ? FEATURE_RTC_SQW : 0); }
