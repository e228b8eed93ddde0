// 160 MHz from the PLL, and the clocks of the peripherals in use. TRM chapters 6 and 16.
//
// The ROM leaves the 480 MHz PLL running for USB; it only has to be chosen. After the switch the APB clock is 80 MHz.

#include "machine.h"
#include "registers.h"

#define CPUPERIOD_SEL_160 1u
#define PLL_FREQ_SEL_480 BIT(2)
#define SOC_CLK_SEL_PLL (1u << 10)
#define SOC_CLK_SEL_MASK (3u << 10)

// RTC_CNTL_OPTIONS0.
#define BB_I2C_FORCE_PD BIT(6)
#define BBPLL_I2C_FORCE_PD BIT(8)
#define BBPLL_FORCE_PD BIT(10)

// SYSTEM_PERIP_CLK_EN0 and RST_EN0.
#define UART1 BIT(5)
#define SPI2 BIT(6)
#define I2C_EXT0 BIT(7)
#define UART_MEM BIT(24)
#define APB_SARADC BIT(28)
#define SYSTIMER BIT(29)
// SYSTEM_PERIP_CLK_EN1 and RST_EN1.
#define CRYPTO_AES BIT(1)
#define CRYPTO_DS BIT(4)
// SYSTEM_CPU_PERI_CLK_EN and RST_EN.
#define DEDICATED_GPIO BIT(7)

void clocks_start(void) {
  RTC_CNTL_OPTIONS0 &= ~(BB_I2C_FORCE_PD | BBPLL_I2C_FORCE_PD | BBPLL_FORCE_PD);
  SYSTEM_CPU_PER_CONF = (SYSTEM_CPU_PER_CONF & ~3u) | CPUPERIOD_SEL_160 | PLL_FREQ_SEL_480;
  SYSTEM_SYSCLK_CONF = (SYSTEM_SYSCLK_CONF & ~SOC_CLK_SEL_MASK) | SOC_CLK_SEL_PLL;

  const uint32_t pulsed = UART1 | SPI2 | I2C_EXT0 | APB_SARADC;
  SYSTEM_PERIP_CLK_EN0 |= pulsed | UART_MEM | SYSTIMER;
  SYSTEM_PERIP_RST_EN0 |= pulsed;
  SYSTEM_PERIP_RST_EN0 &= ~(pulsed | UART_MEM | SYSTIMER);
  SYSTEM_PERIP_CLK_EN1 |= CRYPTO_AES;
  SYSTEM_PERIP_RST_EN1 |= CRYPTO_AES;
  SYSTEM_PERIP_RST_EN1 &= ~(CRYPTO_AES | CRYPTO_DS);
  SYSTEM_CPU_PERI_CLK_EN |= DEDICATED_GPIO;
  SYSTEM_CPU_PERI_RST_EN &= ~DEDICATED_GPIO;
}
