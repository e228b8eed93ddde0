// Edges and the ticks at which they came: the receiver's pulse, the W5500's INTn and, where it is wired, the DS3231's SQW.
//
// Two ways. The interrupt handler (start.S) latches the cycle counter before anything else; what remains is the time until
// its first instruction. That varies: code executed from flash may be waiting for a cache line. So once pulses come
// steadily the machine makes an appointment: a few microseconds before the next one it stops whatever it does and watches the
// pins in a tight loop over the dedicated-GPIO register. What the loop misses, the interrupt takes.
//
// The processor clock is ten times the tick's, from the same crystal: cycles / 10 = ticks. The mean delay of either way is
// taken off (`capture` in the board's file); `calibration` there tells the firmware what remains.

#include "board.h"
#include "machine.h"
#include "registers.h"

#define CPU_GPIO0_SIGNAL 28
#define CPU_GPIO1_SIGNAL 29
#define CPU_GPIO2_SIGNAL 30
#define INPUT_PPS BIT(0)
#define INPUT_INT BIT(1)
#define INPUT_SQW (BOARD_RTC_SQW_BIT ? BIT(2) : 0)
#define PADS (BIT(BOARD_RECEIVER_PPS) | BIT(BOARD_ETHERNET_INT) | BOARD_RTC_SQW_BIT)

#define INT_TYPE_RISING (1u << 7)
#define INT_TYPE_FALLING (2u << 7)
#define INT_ENA_CPU BIT(13)

#define CYCLES_PER_TICK (BOARD_CPU_HZ / 16000000u)
#define FLASH_BEGIN 0x42000000u
#define FLASH_END 0x42800000u

#define SECOND 16000000
/** A crystal is within this of its name: 300 ppm. */
#define CRYSTAL_TOLERANCE 4800
/** Two seconds of the same crystal differ by no more than the handler's jitter: 3 us. */
#define STEADY 48
/** The watch begins and ends this far from the expected pulse: 6 us. */
#define WINDOW 96
/** A pulse sooner than this after the last is the same one: 0.1 ms. */
#define SAME_PULSE 1600

static struct edge edges[3];
static uint64_t expected;
static int32_t last_interval;

static inline uint32_t cycles(void) {
  uint32_t value;
  __asm__ volatile("csrr %0, 0x7e2" : "=r"(value));
  return value;
}

static inline uint32_t inputs(void) {
  uint32_t value;
  __asm__ volatile("csrr %0, 0x804" : "=r"(value));
  return value & (INPUT_PPS | INPUT_INT | INPUT_SQW);
}

void capture_start(void) {
  __asm__ volatile("csrwi 0x7e0, 1\n csrwi 0x7e1, 1"); // count cycles, run
  pins_input(BOARD_RECEIVER_PPS, false, CPU_GPIO0_SIGNAL);
  pins_input(BOARD_ETHERNET_INT, true, CPU_GPIO1_SIGNAL);
  GPIO_PIN(BOARD_RECEIVER_PPS) = INT_TYPE_RISING | INT_ENA_CPU;
  GPIO_PIN(BOARD_ETHERNET_INT) = INT_TYPE_FALLING | INT_ENA_CPU;
  if (BOARD_RTC_SQW_BIT) {
    pins_input(BOARD_RTC_SQW, true, CPU_GPIO2_SIGNAL);
    GPIO_PIN(BOARD_RTC_SQW) = INT_TYPE_FALLING | INT_ENA_CPU;
  }
  GPIO_STATUS_W1TC = PADS;
}

/** From the pulse just taken, when is the next? 0: do not wait for it. */
static inline __attribute__((always_inline)) void expect(uint64_t previous, uint64_t ticks) {
  const uint64_t since = ticks - previous;
  expected = 0;
  const int32_t interval = since < 2 * SECOND ? (int32_t)since : 0;
  const int32_t change = interval - last_interval;
  const int32_t off = interval - SECOND;
  if (off > -CRYSTAL_TOLERANCE && off < CRYSTAL_TOLERANCE && change > -STEADY && change < STEADY) {
    expected = ticks + (uint32_t)interval;
  }
  last_interval = interval;
}

static inline __attribute__((always_inline)) void record(uint32_t channel, uint64_t ticks, uint32_t late) {
  struct edge *edge = &edges[channel];
  if (channel == CHANNEL_PPS) {
    if (edge->count != 0 && ticks - edge->ticks < SAME_PULSE) return;
    expect(edge->ticks, ticks);
  }
  *edge = (struct edge){edge->count + 1, late, ticks};
  machine_wake();
}

/** Called by the vector with the cycle counter as it was at the handler's first instruction, and where it interrupted. */
IN_RAM void capture_interrupt(uint32_t at, uint32_t pc) {
  uint32_t now_cycles;
  const uint64_t now = systimer_ticks_and_cycles(&now_cycles);
  const uint32_t elapsed = now_cycles - at + BOARD_INTERRUPT_CYCLES;
  const uint32_t status = GPIO_STATUS & PADS;
  GPIO_STATUS_W1TC = status;
  // Code in flash may have been waiting for the cache when the edge came; of several edges only the last is exact.
  const uint32_t late = (status & (status - 1)) != 0 || (pc >= FLASH_BEGIN && pc < FLASH_END);
  const uint64_t ticks = now - (elapsed + CYCLES_PER_TICK / 2) / CYCLES_PER_TICK;
  if (status & BIT(BOARD_RECEIVER_PPS)) record(CHANNEL_PPS, ticks, late);
  if (status & BIT(BOARD_ETHERNET_INT)) record(CHANNEL_ETHERNET_INT, ticks, late);
  if (status & BOARD_RTC_SQW_BIT) record(CHANNEL_RTC_SQW, ticks, late);
}

IN_RAM uint64_t capture_appointment(void) {
  interrupts_off();
  const uint64_t pulse = expected;
  interrupts_on();
  return pulse == 0 ? UINT64_MAX : pulse - WINDOW;
}

IN_RAM void capture_keep_appointment(void) {
  interrupts_off();
  uint32_t before = inputs();
  const uint64_t pulse = expected;
  expected = 0;
  uint32_t begin_cycles;
  const uint64_t begin = systimer_ticks_and_cycles(&begin_cycles);
  if (pulse != 0 && begin < pulse + WINDOW) {
    const uint32_t length = (uint32_t)(pulse + WINDOW - begin) * CYCLES_PER_TICK;
    uint32_t at;
    do {
      const uint32_t now = inputs();
      at = cycles();
      const uint32_t changed = now ^ before;
      if (changed == 0) continue;
      const uint32_t elapsed = at - begin_cycles;
      const uint64_t ticks =
          elapsed > BOARD_SPIN_CYCLES ? begin + (elapsed - BOARD_SPIN_CYCLES + CYCLES_PER_TICK / 2) / CYCLES_PER_TICK : begin;
      before = now;
      if (changed & ~now & INPUT_INT) {
        record(CHANNEL_ETHERNET_INT, ticks, 0);
        GPIO_STATUS_W1TC = BIT(BOARD_ETHERNET_INT);
      }
      if (changed & ~now & INPUT_SQW) {
        record(CHANNEL_RTC_SQW, ticks, 0);
        GPIO_STATUS_W1TC = BOARD_RTC_SQW_BIT;
      }
      if (changed & now & INPUT_PPS) {
        record(CHANNEL_PPS, ticks, 0);
        GPIO_STATUS_W1TC = BIT(BOARD_RECEIVER_PPS);
        break;
      }
    } while (at - begin_cycles < length);
  }
  interrupts_on();
}

IN_RAM void capture_read(uint32_t channel, struct edge *out) {
  if (channel > CHANNEL_RTC_SQW) return;
  interrupts_off();
  *out = edges[channel];
  interrupts_on();
}

uint32_t capture_level(uint32_t channel) {
  if (channel > CHANNEL_ETHERNET_INT) return 0;
  return (GPIO_IN >> (channel == CHANNEL_PPS ? BOARD_RECEIVER_PPS : BOARD_ETHERNET_INT)) & 1;
}
