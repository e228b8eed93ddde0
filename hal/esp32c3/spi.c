// GP-SPI2 to the W5500: mode 0, most significant bit first, the chip select driven by software around as many bursts of 64
// bytes as the transaction needs. TRM chapter 27. The processor sleeps while a burst is on the wire.

#include <string.h>

#include "board.h"
#include "machine.h"
#include "registers.h"

#define UPDATE BIT(23)
#define USR BIT(24)
#define USR_MOSI BIT(27)
#define USR_MISO BIT(28)
#define USR_ADDR BIT(30)
#define CTRL_MSB_FIRST 0x003C0000u
#define NO_HARDWARE_CS 0x3Fu
#define TRANS_DONE BIT(12)
#define AFIFO_RST (BIT(29) | BIT(30))
#define CLOCKS_ON_80_MHZ 7u
#define MCU_SEL_FSPI (2u << 12)
#define FUN_DRV_20MA (2u << 10)
#define FUN_IE BIT(9)

#define DIVIDER (80000000u / BOARD_ETHERNET_CLOCK_HZ)
#define BURST 64u

void spi_start(void) {
  SPI2_CLK_GATE = CLOCKS_ON_80_MHZ;
  SPI2_SLAVE = 0;
  SPI2_CTRL = CTRL_MSB_FIRST;
  SPI2_MISC = NO_HARDWARE_CS;
  SPI2_CLOCK = (DIVIDER - 1) << 12 | (DIVIDER / 2 - 1) << 6 | (DIVIDER - 1);
  SPI2_DMA_CONF = AFIFO_RST;
  SPI2_DMA_CONF = 0;
  SPI2_DMA_INT_CLR = TRANS_DONE;
  pins_output(BOARD_ETHERNET_CS, 1);
  IO_MUX_GPIO(BOARD_ETHERNET_SCLK) = MCU_SEL_FSPI | FUN_DRV_20MA;
  IO_MUX_GPIO(BOARD_ETHERNET_MOSI) = MCU_SEL_FSPI | FUN_DRV_20MA;
  IO_MUX_GPIO(BOARD_ETHERNET_MISO) = MCU_SEL_FSPI | FUN_DRV_20MA | FUN_IE;
}

/** Does what the registers describe, and sleeps until it is done; edges are still captured. */
static inline __attribute__((always_inline)) void go(uint32_t user) {
  SPI2_USER = user;
  SPI2_CMD = UPDATE;
  while (SPI2_CMD & UPDATE) {
  }
  interrupts_off();
  SPI2_CMD = USR;
  for (;;) {
    // Each time anew: whatever is served in between turns it off.
    SPI2_DMA_INT_ENA = TRANS_DONE;
    __asm__ volatile("wfi" ::: "memory");
    if (SPI2_DMA_INT_RAW & TRANS_DONE) break;
    // Something else has ended the sleep: it gets its turn.
    interrupts_on();
    interrupts_off();
  }
  SPI2_DMA_INT_CLR = TRANS_DONE;
  interrupts_on();
}

/** Part of the service interrupt: the burst's end need not interrupt anything, and is still to be seen in RAW. */
IN_RAM void spi_interrupt(void) { SPI2_DMA_INT_ENA = 0; }

/** One transaction: `direction` is USR_MOSI, to the chip, or USR_MISO. */
static inline __attribute__((always_inline)) void transfer(uint32_t header, uint32_t header_length, uint8_t *data, uint32_t length, uint32_t direction) {
  if (header_length > 4) return;
  uint32_t words[BURST / 4], user = header_length ? USR_ADDR : 0;
  GPIO_OUT_W1TC = BIT(BOARD_ETHERNET_CS);
  SPI2_ADDR = header << ((32 - 8 * header_length) & 31);
  SPI2_USER1 = (8 * header_length - 1) << 27;
  while (user || length) {
    const uint32_t burst = length < BURST ? length : BURST;
    if (direction == USR_MOSI) {
      memcpy(words, data, burst);
      for (uint32_t i = 0; 4 * i < burst; i++) SPI2_W(i) = words[i];
    }
    if (burst) SPI2_MS_DLEN = 8 * burst - 1;
    go(user | (burst ? direction : 0));
    if (direction == USR_MISO) {
      for (uint32_t i = 0; 4 * i < burst; i++) words[i] = SPI2_W(i);
      memcpy(data, words, burst);
    }
    data += burst, length -= burst, user = 0;
  }
  GPIO_OUT_W1TS = BIT(BOARD_ETHERNET_CS);
}

IN_RAM void spi_write(uint32_t header, uint32_t header_length, const uint8_t *data, uint32_t length) {
  transfer(header, header_length, (uint8_t *)(uintptr_t)data, length, USR_MOSI);
}
IN_RAM void spi_read(uint32_t header, uint32_t header_length, uint8_t *data, uint32_t length) {
  transfer(header, header_length, data, length, USR_MISO);
}
