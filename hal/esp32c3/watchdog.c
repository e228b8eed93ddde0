// The watchdogs. The boot ROM leaves three running; two are stopped, the RTC watchdog is put to use: without a feed for
// ten seconds it resets the system. TRM chapter 12.

#include "machine.h"
#include "registers.h"

#define WDT_KEY 0x50D83AA1u
#define SWD_KEY 0x8F1D312Au
#define SWD_AUTO_FEED_EN BIT(31)
#define TIMG_CONF_UPDATE_EN BIT(22)

// RTC_CNTL_WDTCONFIG0.
#define WDT_EN BIT(31)
#define WDT_STG0_SYSTEM_RESET (3u << 28)
#define WDT_CPU_RESET_LENGTH (1u << 16)
#define WDT_SYS_RESET_LENGTH (1u << 13)
#define WDT_PAUSE_IN_SLP BIT(9)
#define WDT_FEED BIT(31)

/** The slow clock is an RC oscillator of nominally 136 kHz, good to some ten per cent. */
#define SLOW_CLOCK_HZ 136000u
#define TIMEOUT_SECONDS 10u

void watchdog_stop_boot(void) {
  RTC_CNTL_WDTWPROTECT = WDT_KEY;
  RTC_CNTL_WDTCONFIG0 = 0;
  RTC_CNTL_WDTWPROTECT = 0;
  RTC_CNTL_SWD_WPROTECT = SWD_KEY;
  RTC_CNTL_SWD_CONF |= SWD_AUTO_FEED_EN;
  RTC_CNTL_SWD_WPROTECT = 0;
  TIMG0_WDTWPROTECT = WDT_KEY;
  TIMG0_WDTCONFIG0 = TIMG_CONF_UPDATE_EN;
  TIMG0_WDTWPROTECT = 0;
  TIMG1_WDTWPROTECT = WDT_KEY;
  TIMG1_WDTCONFIG0 = TIMG_CONF_UPDATE_EN;
  TIMG1_WDTWPROTECT = 0;
}

void watchdog_start(void) {
  // Stage 0 counts 2 << WDT_DELAY_SEL slow ticks for each unit of WDTCONFIG1.
  const uint32_t multiplier = 1 + ((EFUSE_RD_REPEAT_DATA1 >> 16) & 3);
  RTC_CNTL_WDTWPROTECT = WDT_KEY;
  RTC_CNTL_WDTCONFIG1 = TIMEOUT_SECONDS * SLOW_CLOCK_HZ >> multiplier;
  RTC_CNTL_WDTCONFIG0 = WDT_EN | WDT_STG0_SYSTEM_RESET | WDT_CPU_RESET_LENGTH | WDT_SYS_RESET_LENGTH | WDT_PAUSE_IN_SLP;
  RTC_CNTL_WDTFEED = WDT_FEED;
  RTC_CNTL_WDTWPROTECT = 0;
}

void watchdog_feed(void) {
  RTC_CNTL_WDTWPROTECT = WDT_KEY;
  RTC_CNTL_WDTFEED = WDT_FEED;
  RTC_CNTL_WDTWPROTECT = 0;
}
