// The superloop: bring the chip up, start the firmware, and from then on call poll() when it asked to be called, when an edge
// was captured, when bytes came; sleep in between.

#include "board.h"
#include "machine.h"
#include "registers.h"
#include "runtime.h"

// Interrupt sources (TRM table 8-1) and the two CPU interrupts they share; start.S has the vectors.
#define SOURCE_GPIO 16
#define SOURCE_SPI2 19
#define SOURCE_UART1 22
#define SOURCE_USB 26
#define SOURCE_SYSTIMER_TARGET0 37
#define EDGE_INTERRUPT 9
#define SERVICE_INTERRUPT 10
#define EDGE_PRIORITY 7
#define SERVICE_PRIORITY 1

/** Longest time to leave idle before an expected pulse: a poll() may last 250 us. */
#define HOLD_TICKS 4800u

static volatile bool woken;

IN_RAM void machine_wake(void) { woken = true; }

static void interrupts_start(void) {
  INTERRUPT_CORE0_MAP(SOURCE_GPIO) = EDGE_INTERRUPT;
  INTERRUPT_CORE0_MAP(SOURCE_SPI2) = SERVICE_INTERRUPT;
  INTERRUPT_CORE0_MAP(SOURCE_UART1) = SERVICE_INTERRUPT;
  INTERRUPT_CORE0_MAP(SOURCE_USB) = SERVICE_INTERRUPT;
  INTERRUPT_CORE0_MAP(SOURCE_SYSTIMER_TARGET0) = SERVICE_INTERRUPT;
  INTERRUPT_CORE0_CPU_INT_PRI(EDGE_INTERRUPT) = EDGE_PRIORITY;
  INTERRUPT_CORE0_CPU_INT_PRI(SERVICE_INTERRUPT) = SERVICE_PRIORITY;
  INTERRUPT_CORE0_CPU_INT_TYPE = 0;
  INTERRUPT_CORE0_CPU_INT_THRESH = SERVICE_PRIORITY;
  INTERRUPT_CORE0_CPU_INT_ENABLE = BIT(EDGE_INTERRUPT) | BIT(SERVICE_INTERRUPT);
  __asm__ volatile("csrsi mstatus, 8");
}

// Called by the service vector: edges interrupt what lies between.
IN_RAM void service_interrupt_enter(void) { INTERRUPT_CORE0_CPU_INT_THRESH = SERVICE_PRIORITY + 1; }
IN_RAM void service_interrupt_leave(void) { INTERRUPT_CORE0_CPU_INT_THRESH = SERVICE_PRIORITY; }
IN_RAM void service_interrupt(void) {
  uart_interrupt();
  console_interrupt();
  spi_interrupt();
  systimer_alarm_clear();
  machine_wake();
}

/** Sleeps until `tick`, or, when `listening`, until something happens. */
IN_RAM static void sleep_until(uint64_t tick, bool listening) {
  while (systimer_ticks() < tick && !(listening && woken)) {
    // With interrupts off, so that what comes after the check still ends the sleep; it is served as they go on.
    interrupts_off();
    if (!(listening && woken)) {
      systimer_alarm(tick);
      __asm__ volatile("wfi");
    }
    interrupts_on();
  }
}

IN_RAM __attribute__((noreturn)) static void superloop(void) {
  for (;;) {
    const uint64_t appointment = capture_appointment();
    if (appointment != UINT64_MAX && systimer_ticks() + HOLD_TICKS > appointment) {
      sleep_until(appointment, false);
      capture_keep_appointment();
    }
    entropy_gather();
    woken = false;
    const uint64_t due = runtime_poll();
    const uint64_t hold = appointment == UINT64_MAX ? UINT64_MAX : appointment - HOLD_TICKS;
    sleep_until(due < hold ? due : hold, true);
  }
}

int main(void) {
  watchdog_stop_boot();
  clocks_start();
  flash_start();
  systimer_start();
  watchdog_start();
  pins_start();
  console_start();
  crash_report();
  capture_start();
  uart_start();
  i2c_start();
  spi_start();
  aes_start();
  interrupts_start();
  entropy_start();
  runtime_start();
  runtime_boot();
  superloop();
}
