// The functions between the files of this machine. Each file implements the group under its name.
// Semantics, units and errors are those of hal/abi.ts; addresses are C pointers here, already checked by abi.c.

#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Code or data that must be reachable while the flash is busy: in RAM. */
#ifdef __riscv
#define IN_RAM __attribute__((section(".iram.text"), noinline))
#else
#define IN_RAM
#endif

enum { HAL_NACK = -1, HAL_TIMEOUT = -2, HAL_RANGE = -3, HAL_FAULT = -4 };
enum { CHANNEL_PPS, CHANNEL_ETHERNET_INT, CHANNEL_RTC_SQW };
enum { PIN_ETHERNET_RESET, PIN_LED_LOCKED };
enum { FEATURE_AES = 1, FEATURE_RTC_SQW = 2 };

/** As `capture` of hal/abi.ts writes it. */
struct edge {
  uint32_t count;
  uint32_t late;
  uint64_t ticks;
};
// clocks.c
void clocks_start(void);
// systimer.c
void systimer_start(void);
uint64_t systimer_ticks(void);
/** The same, with the cycle counter at that very moment. */
uint64_t systimer_ticks_and_cycles(uint32_t *cycles);
/** Raises the timer interrupt at `tick`; at once when that is past. */
void systimer_alarm(uint64_t tick);
void systimer_alarm_clear(void);
/** Sleeps for 10 us or until something happens. The alarm is gone after it. */
void systimer_nap(void);
// watchdog.c
void watchdog_stop_boot(void);
void watchdog_start(void);
void watchdog_feed(void);
// crash.c
/** What stopped the machine; kept in RTC fast memory. */
enum crash_kind { CRASH_NONE, CRASH_TRAP, CRASH_WASM, CRASH_RESET };
/** Records and restarts. */
__attribute__((noreturn)) void crash_stop(enum crash_kind kind, uint32_t code, uint32_t pc, uint32_t address, uint32_t sp);
/** Prints why the last run ended, once. */
void crash_report(void);
// pins.c
void pins_start(void);
void pins_write(uint32_t pin, uint32_t level);
/** A GPIO as plain output at `level`. */
void pins_output(uint32_t gpio, uint32_t level);
/** A GPIO as input, pulled up when `pull_up`; `signal` is where the matrix leads it. */
void pins_input(uint32_t gpio, bool pull_up, uint32_t signal);
/** A GPIO driven by a peripheral's signal. */
void pins_signal(uint32_t gpio, uint32_t signal);
// capture.c
void capture_start(void);
void capture_read(uint32_t channel, struct edge *out);
uint32_t capture_level(uint32_t channel);
/** The tick at which the machine must stop what it does and wait for the pulse; UINT64_MAX when none is expected. */
uint64_t capture_appointment(void);
/** Waits for the expected pulse, a few microseconds, interrupts off. */
void capture_keep_appointment(void);
// main.c
/** Something has happened that poll() should see before its due tick. */
void machine_wake(void);
// uart.c
void uart_start(void);
void uart_interrupt(void);
void uart_configure(uint32_t baud);
uint32_t uart_read(uint8_t *out, uint32_t capacity);
uint32_t uart_write(const uint8_t *data, uint32_t length);
// i2c.c
void i2c_start(void);
int32_t i2c_transfer(uint32_t address, const uint8_t *write, uint32_t write_length, uint8_t *read, uint32_t read_length);
// spi.c
static inline void interrupts_off(void) { __asm__ volatile("csrci mstatus, 8" ::: "memory"); }
static inline void interrupts_on(void) { __asm__ volatile("csrsi mstatus, 8" ::: "memory"); }

void spi_start(void);
void spi_interrupt(void);
void spi_write(uint32_t header, uint32_t header_length, const uint8_t *data, uint32_t length);
void spi_read(uint32_t header, uint32_t header_length, uint8_t *data, uint32_t length);
// flash.c
/** Sets the cache's flash reads to two lines at 40 MHz. */
void flash_start(void);
uint32_t flash_size(void);
int32_t flash_read(uint32_t offset, uint8_t *out, uint32_t length);
int32_t flash_write(uint32_t offset, const uint8_t *data, uint32_t length);
int32_t flash_erase(uint32_t offset);
// entropy.c
void entropy_start(void);
/** Takes one sample when it is time; the superloop calls it in passing. */
void entropy_gather(void);
int32_t entropy_read(uint8_t *out, uint32_t length);
// aes.c
void aes_start(void);
int32_t aes_load(const uint8_t *key, uint32_t length);
void aes_encrypt(const uint8_t *input, uint8_t *output);
// console.c
void console_start(void);
void console_interrupt(void);
uint32_t console_read(uint8_t *out, uint32_t capacity);
uint32_t console_write(const uint8_t *data, uint32_t length);
// settings.c
uint32_t board_config(uint8_t *out, uint32_t capacity);
uint32_t features(void);
