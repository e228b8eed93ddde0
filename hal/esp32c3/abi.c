// The module's imports (hal/abi.ts) on this machine: the door. Every address and length that the module hands out is
// checked here, once, against its linear memory; a bad one is a trap.

#include "machine.h"
#include "runtime.h"

#define HOST __attribute__((unused)) struct Z_abi_instance_t *host
#define SPAN runtime_span

u64 Z_abiZ_ticks(HOST) { return systimer_ticks(); }

void Z_abiZ_capture(HOST, u32 channel, u32 out) {
  struct edge edge = {0};
  capture_read(channel, &edge);
  memcpy(SPAN(out, sizeof edge), &edge, sizeof edge);
}

u32 Z_abiZ_pin_read(HOST, u32 channel) { return capture_level(channel); }
void Z_abiZ_pin_write(HOST, u32 pin, u32 level) { pins_write(pin, level & 1); }
void Z_abiZ_uart_configure(HOST, u32 baud) { uart_configure(baud); }
u32 Z_abiZ_uart_read(HOST, u32 out, u32 capacity) { return uart_read(SPAN(out, capacity), capacity); }
u32 Z_abiZ_uart_write(HOST, u32 data, u32 length) { return uart_write(SPAN(data, length), length); }

u32 Z_abiZ_i2c_transfer(HOST, u32 address, u32 write, u32 write_length, u32 read, u32 read_length) {
  const uint8_t *out = SPAN(write, write_length);
  return (u32)i2c_transfer(address, out, write_length, SPAN(read, read_length), read_length);
}

void Z_abiZ_spi_write(HOST, u32 header, u32 bytes, u32 data, u32 n) { spi_write(header, bytes, SPAN(data, n), n); }
void Z_abiZ_spi_read(HOST, u32 header, u32 bytes, u32 data, u32 n) { spi_read(header, bytes, SPAN(data, n), n); }
u32 Z_abiZ_flash_size(HOST) { return flash_size(); }
u32 Z_abiZ_flash_read(HOST, u32 offset, u32 out, u32 n) { return (u32)flash_read(offset, SPAN(out, n), n); }
u32 Z_abiZ_flash_write(HOST, u32 offset, u32 data, u32 n) { return (u32)flash_write(offset, SPAN(data, n), n); }
u32 Z_abiZ_flash_erase(HOST, u32 offset) { return (u32)flash_erase(offset); }
u32 Z_abiZ_entropy(HOST, u32 out, u32 length) { return (u32)entropy_read(SPAN(out, length), length); }
u32 Z_abiZ_aes_load(HOST, u32 key, u32 length) { return (u32)aes_load(SPAN(key, length), length); }
void Z_abiZ_aes_encrypt(HOST, u32 input, u32 output) { aes_encrypt(SPAN(input, 16), SPAN(output, 16)); }
u32 Z_abiZ_console_read(HOST, u32 out, u32 capacity) { return console_read(SPAN(out, capacity), capacity); }
u32 Z_abiZ_console_write(HOST, u32 data, u32 length) { return console_write(SPAN(data, length), length); }
u32 Z_abiZ_board_config(HOST, u32 out, u32 capacity) { return board_config(SPAN(out, capacity), capacity); }
u32 Z_abiZ_features(HOST) { return features(); }
void Z_abiZ_watchdog(HOST) { watchdog_feed(); }
void Z_abiZ_reset(HOST, u32 reason) { crash_stop(CRASH_RESET, reason, 0, 0, 0); }
