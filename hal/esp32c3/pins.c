// GPIO matrix and IO MUX. TRM chapter 5.

#include "board.h"
#include "machine.h"
#include "registers.h"

#define MCU_SEL_GPIO (1u << 12)
#define FUN_DRV_20MA (2u << 10)
#define FUN_IE BIT(9)
#define FUN_WPU BIT(8)
#define IN_SEL_MATRIX BIT(6)
#define OUT_SEL_PLAIN 128u

static const uint8_t gpio_of[] = {BOARD_ETHERNET_RESET, BOARD_LED_LOCKED};

void pins_start(void) {
  pins_output(BOARD_ETHERNET_RESET, 1);
  pins_output(BOARD_LED_LOCKED, 0);
}

void pins_write(uint32_t pin, uint32_t level) {
  if (pin >= sizeof gpio_of) return;
  if (level) GPIO_OUT_W1TS = BIT(gpio_of[pin]);
  else GPIO_OUT_W1TC = BIT(gpio_of[pin]);
}

void pins_output(uint32_t gpio, uint32_t level) {
  if (level) GPIO_OUT_W1TS = BIT(gpio);
  else GPIO_OUT_W1TC = BIT(gpio);
  pins_signal(gpio, OUT_SEL_PLAIN);
}

void pins_input(uint32_t gpio, bool pull_up, uint32_t signal) {
  IO_MUX_GPIO(gpio) = MCU_SEL_GPIO | FUN_DRV_20MA | FUN_IE | (pull_up ? FUN_WPU : 0);
  GPIO_FUNC_IN_SEL_CFG(signal) = IN_SEL_MATRIX | gpio;
}

void pins_signal(uint32_t gpio, uint32_t signal) {
  IO_MUX_GPIO(gpio) = MCU_SEL_GPIO | FUN_DRV_20MA | FUN_IE;
  GPIO_FUNC_OUT_SEL_CFG(gpio) = signal;
  GPIO_ENABLE_W1TS = BIT(gpio);
}
