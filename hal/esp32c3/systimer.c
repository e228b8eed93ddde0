// SYSTIMER unit 0: 52 bits at 16 MHz, the crystal's 40 MHz divided by 2.5. It is the machine's tick. TRM chapter 10.

#include "machine.h"
#include "registers.h"

#define CLK_EN BIT(31)
#define TIMER_UNIT0_WORK_EN BIT(30)
#define TARGET0_WORK_EN BIT(24)
#define TIMER_UNIT0_UPDATE BIT(30)
#define TIMER_UNIT0_VALUE_VALID BIT(29)

/** The alarm fires only for a tick that is still to come: anything nearer than this is set to it. */
#define SOONEST 32
#define NAP 160

void systimer_start(void) {
  SYSTIMER_CONF |= CLK_EN | TIMER_UNIT0_WORK_EN;
  SYSTIMER_TARGET0_CONF = 0;
}

/** Safe against the edge handler, which takes readings of its own: a changed low word means that it did. */
IN_RAM uint64_t systimer_ticks_and_cycles(uint32_t *cycles) {
  uint32_t low, high;
  do {
    SYSTIMER_UNIT0_OP = TIMER_UNIT0_UPDATE;
    __asm__ volatile("csrr %0, 0x7e2" : "=r"(*cycles));
    while (!(SYSTIMER_UNIT0_OP & TIMER_UNIT0_VALUE_VALID)) {
    }
    low = SYSTIMER_UNIT0_VALUE_LO;
    high = SYSTIMER_UNIT0_VALUE_HI;
  } while (SYSTIMER_UNIT0_VALUE_LO != low);
  return (uint64_t)high << 32 | low;
}

IN_RAM uint64_t systimer_ticks(void) {
  uint32_t cycles;
  return systimer_ticks_and_cycles(&cycles);
}

IN_RAM void systimer_alarm(uint64_t tick) {
  const uint64_t soonest = systimer_ticks() + SOONEST;
  if (tick < soonest) tick = soonest;
  SYSTIMER_CONF &= ~TARGET0_WORK_EN;
  SYSTIMER_TARGET0_HI = (uint32_t)(tick >> 32);
  SYSTIMER_TARGET0_LO = (uint32_t)tick;
  SYSTIMER_COMP0_LOAD = 1;
  SYSTIMER_INT_CLR = BIT(0);
  SYSTIMER_CONF |= TARGET0_WORK_EN;
  SYSTIMER_INT_ENA = BIT(0);
}

IN_RAM void systimer_alarm_clear(void) {
  SYSTIMER_INT_ENA = 0;
  SYSTIMER_INT_CLR = BIT(0);
}

IN_RAM void systimer_nap(void) {
  interrupts_off();
  systimer_alarm(systimer_ticks() + NAP);
  __asm__ volatile("wfi" ::: "memory");
  systimer_alarm_clear();
  interrupts_on();
}
