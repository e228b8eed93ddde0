// The compiled firmware on the host, against a recording: abi.c, runtime.c and the generated C are the ESP32-C3's, the
// peripherals are this file. It replays what the module did in V8: every call must come in the recorded order with the recorded
// arguments and data, and gets the recorded result. At the end the memory's hash is printed.
//
// A record: op u8 | argument count u8 | in length u16 | out length u16 | out address u32 | result u64 | in hash u32
//           | arguments u32.. | out bytes, all little-endian. `in` is what the call hands out, `out` what it brings.

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "runtime.h"

// The order of OPS in esp32c3_record.ts.
enum op {
  OP_BOOT, OP_BOOTED, OP_POLL, OP_POLLED, OP_TICKS, OP_CAPTURE, OP_PIN_READ, OP_PIN_WRITE, OP_UART_CONFIGURE, OP_UART_READ,
  OP_UART_WRITE, OP_I2C, OP_SPI_WRITE, OP_SPI_READ, OP_FLASH_SIZE, OP_FLASH_READ, OP_FLASH_WRITE, OP_FLASH_ERASE, OP_ENTROPY,
  OP_AES_LOAD, OP_AES_ENCRYPT, OP_CONSOLE_READ, OP_CONSOLE_WRITE, OP_BOARD_CONFIG, OP_FEATURES, OP_WATCHDOG, OP_RESET, OP_END,
};

struct __attribute__((packed)) record {
  uint8_t op, arguments;
  uint16_t in_length, out_length;
  uint32_t out_address;
  uint64_t result;
  uint32_t in_hash;
};

static uint8_t *at, *end;
static unsigned long records;

static uint32_t hash(const uint8_t *data, uint32_t length) {
  uint32_t value = 2166136261u;
  for (uint32_t i = 0; i < length; i++) value = (value ^ data[i]) * 16777619u;
  return value;
}

static void differ(const char *what, uint64_t found, uint64_t wanted) {
  printf("record %lu: %s is %llx, V8 had %llx\n", records, what, (unsigned long long)found, (unsigned long long)wanted);
  exit(1);
}

static uint32_t address_of(const void *pointer) { return (uint32_t)((const uint8_t *)pointer - noonmark.w2c_memory.data); }

/** Takes the next record, which must be this very call; returns the recorded result. */
static uint64_t replay(enum op op, int count, const uint32_t *arguments, const uint8_t *in) {
  struct record record;
  if (at + sizeof record > end) differ("a call after the end", op, OP_END);
  memcpy(&record, at, sizeof record);
  at += sizeof record;
  records++;
  if (record.op != op) differ("the call", op, record.op);
  if (record.arguments != count) differ("the argument count", (uint64_t)count, record.arguments);
  for (int i = 0; i < count; i++, at += 4) {
    uint32_t wanted;
    memcpy(&wanted, at, 4);
    if (arguments[i] != wanted) differ("an argument", arguments[i], wanted);
  }
  if (in && hash(in, record.in_length) != record.in_hash) differ("the data's hash", hash(in, record.in_length), record.in_hash);
  memcpy(noonmark.w2c_memory.data + record.out_address, at, record.out_length);
  at += record.out_length;
  return record.result;
}

#define CALL(op, in, ...) \
  replay(op, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__}, in)
#define CALL0(op) replay(op, 0, NULL, NULL)
#define AT(pointer) address_of(pointer)

uint64_t systimer_ticks(void) { return CALL0(OP_TICKS); }
uint32_t capture_level(uint32_t channel) { return (uint32_t)CALL(OP_PIN_READ, NULL, channel); }
void pins_write(uint32_t pin, uint32_t level) { CALL(OP_PIN_WRITE, NULL, pin, level); }
void uart_configure(uint32_t baud) { CALL(OP_UART_CONFIGURE, NULL, baud); }
uint32_t uart_read(uint8_t *out, uint32_t n) { return (uint32_t)CALL(OP_UART_READ, NULL, AT(out), n); }
uint32_t uart_write(const uint8_t *data, uint32_t n) { return (uint32_t)CALL(OP_UART_WRITE, data, AT(data), n); }
int32_t i2c_transfer(uint32_t address, const uint8_t *out, uint32_t n, uint8_t *in, uint32_t m) {
  return (int32_t)CALL(OP_I2C, out, address, AT(out), n, AT(in), m);
}
void spi_write(uint32_t header, uint32_t h, const uint8_t *data, uint32_t n) { CALL(OP_SPI_WRITE, data, header, h, AT(data), n); }
void spi_read(uint32_t header, uint32_t h, uint8_t *data, uint32_t n) { CALL(OP_SPI_READ, NULL, header, h, AT(data), n); }
uint32_t flash_size(void) { return (uint32_t)CALL0(OP_FLASH_SIZE); }
int32_t flash_read(uint32_t offset, uint8_t *out, uint32_t n) { return (int32_t)CALL(OP_FLASH_READ, NULL, offset, AT(out), n); }
int32_t flash_write(uint32_t offset, const uint8_t *d, uint32_t n) { return (int32_t)CALL(OP_FLASH_WRITE, d, offset, AT(d), n); }
int32_t flash_erase(uint32_t offset) { return (int32_t)CALL(OP_FLASH_ERASE, NULL, offset); }
int32_t entropy_read(uint8_t *out, uint32_t n) { return (int32_t)CALL(OP_ENTROPY, NULL, AT(out), n); }
int32_t aes_load(const uint8_t *key, uint32_t n) { return (int32_t)CALL(OP_AES_LOAD, key, AT(key), n); }
void aes_encrypt(const uint8_t *in, uint8_t *out) { CALL(OP_AES_ENCRYPT, in, AT(in), AT(out)); }
uint32_t console_read(uint8_t *out, uint32_t n) { return (uint32_t)CALL(OP_CONSOLE_READ, NULL, AT(out), n); }
uint32_t console_write(const uint8_t *data, uint32_t n) { return (uint32_t)CALL(OP_CONSOLE_WRITE, data, AT(data), n); }
uint32_t board_config(uint8_t *out, uint32_t n) { return (uint32_t)CALL(OP_BOARD_CONFIG, NULL, AT(out), n); }
uint32_t features(void) { return (uint32_t)CALL0(OP_FEATURES); }
void watchdog_feed(void) { CALL0(OP_WATCHDOG); }

/** abi.c copies the edge to where the module wants it; the record has it at that address too. */
void capture_read(uint32_t channel, struct edge *out) {
  struct record record;
  uint32_t address;
  memcpy(&record, at, sizeof record);
  memcpy(&address, at + sizeof record + 4, 4);
  CALL(OP_CAPTURE, NULL, channel, address);
  memcpy(out, noonmark.w2c_memory.data + address, sizeof *out);
}

void crash_stop(enum crash_kind kind, uint32_t code, uint32_t pc, uint32_t address, uint32_t sp) {
  (void)pc, (void)address, (void)sp;
  printf("record %lu: stopped, kind %d code %u\n", records, kind, code);
  exit(2);
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 3;
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  rewind(file);
  at = malloc((size_t)size);
  if (!at || fread(at, 1, (size_t)size, file) != (size_t)size) return 3;
  end = at + size;
  runtime_start();
  unsigned long polls = 0;
  while (at < end && *at != OP_END) {
    if (*at == OP_BOOT) {
      CALL0(OP_BOOT);
      runtime_boot();
      CALL0(OP_BOOTED);
    } else {
      CALL0(OP_POLL);
      const uint64_t due = runtime_poll();
      const uint64_t wanted = CALL0(OP_POLLED);
      if (due != wanted) differ("the due tick", due, wanted);
      polls++;
    }
  }
  printf("polls %lu records %lu memory %08x\n", polls, records, hash(noonmark.w2c_memory.data, WASM_RT_MEMORY_SIZE));
  return 0;
}
