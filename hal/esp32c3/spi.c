// GP-SPI2 to the W5500: mode 0, most significant bit first, the chip select driven by software around as many bursts of 64
// bytes as the transaction needs. TRM chapter 27.

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
#define RX_AFIFO_RST BIT(29)
#define BUF_AFIFO_RST BIT(30)
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
  SPI2_DMA_CONF = RX_AFIFO_RST | BUF_AFIFO_RST;
  SPI2_DMA_CONF = 0;
  pins_output(BOARD_ETHERNET_CS, 1);
  IO_MUX_GPIO(BOARD_ETHERNET_SCLK) = MCU_SEL_FSPI | FUN_DRV_20MA;
  IO_MUX_GPIO(BOARD_ETHERNET_MOSI) = MCU_SEL_FSPI | FUN_DRV_20MA;
  IO_MUX_GPIO(BOARD_ETHERNET_MISO) = MCU_SEL_FSPI | FUN_DRV_20MA | FUN_IE;
}

/** Does what the registers describe, and waits until it is done. */
static inline __attribute__((always_inline)) void go(uint32_t user) {
  SPI2_USER = user;
  SPI2_CMD = UPDATE;
  while (SPI2_CMD & UPDATE) {
  }
  SPI2_CMD = USR;
  while (SPI2_CMD & USR) {
  }
}

static inline __attribute__((always_inline)) uint32_t begin(uint32_t header, uint32_t header_length) {
  GPIO_OUT_W1TC = BIT(BOARD_ETHERNET_CS);
  if (header_length == 0) return 0;
  SPI2_ADDR = header << (32 - 8 * header_length);
  SPI2_USER1 = (8 * header_length - 1) << 27;
  return USR_ADDR;
}

IN_RAM void spi_write(uint32_t header, uint32_t header_length, const uint8_t *data, uint32_t length) {
  if (header_length > 4) return;
  uint32_t user = begin(header, header_length);
  while (user || length) {
    const uint32_t burst = length < BURST ? length : BURST;
    for (uint32_t i = 0; i < burst; i += 4) {
      uint32_t word = 0;
      memcpy(&word, data + i, burst - i < 4 ? burst - i : 4);
      SPI2_W(i / 4) = word;
    }
    if (burst) SPI2_MS_DLEN = 8 * burst - 1;
    go(user | (burst ? USR_MOSI : 0));
    user = 0;
    data += burst;
    length -= burst;
  }
  GPIO_OUT_W1TS = BIT(BOARD_ETHERNET_CS);
}

IN_RAM void spi_read(uint32_t header, uint32_t header_length, uint8_t *data, uint32_t length) {
  if (header_length > 4) return;
  uint32_t user = begin(header, header_length);
  while (user || length) {
    const uint32_t burst = length < BURST ? length : BURST;
    if (burst) SPI2_MS_DLEN = 8 * burst - 1;
    go(user | (burst ? USR_MISO : 0));
    for (uint32_t i = 0; i < burst; i += 4) {
      const uint32_t word = SPI2_W(i / 4);
      memcpy(data + i, &word, burst - i < 4 ? burst - i : 4);
    }
    user = 0;
    data += burst;
    length -= burst;
  }
  GPIO_OUT_W1TS = BIT(BOARD_ETHERNET_CS);
}
