// UART1: the receiver. A ring buffer filled by interrupt, also while the flash is busy. TRM chapter 26.

#include "board.h"
#include "machine.h"
#include "registers.h"

#define U1_SIGNAL 9
#define RXFIFO_FULL BIT(0)
#define RXFIFO_OVF BIT(4)
#define RXFIFO_TOUT BIT(8)
#define CONF0_8N1 0x1000001Cu
#define RXFIFO_RST BIT(17)
#define TXFIFO_RST BIT(18)
#define RX_TOUT_EN BIT(21)
#define RXFIFO_FULL_THRHD 64u
#define RX_TOUT_BITS 20u
/** The crystal divided by 4: CLKDIV's 12 bits then reach down to 2442 baud. */
#define CLOCK_DIVIDER 4u
#define CLOCK_XTAL (3u << 20 | BIT(22) | BIT(24) | BIT(25) | (CLOCK_DIVIDER - 1) << 12) /* SCLK_SEL, SCLK_EN, TX_, RX_SCLK_EN, DIV_NUM */
#define RST_CORE BIT(23)
#define REG_UPDATE BIT(31)
#define FIFO_SIZE 128u

/** At 115200 baud, 90 ms of continuous talk. */
#define RING 1024u

static uint8_t ring[RING];
static volatile uint32_t ring_in, ring_out;

void uart_start(void) {
  UART1_CLK_CONF = CLOCK_XTAL | RST_CORE;
  UART1_CLK_CONF = CLOCK_XTAL;
  UART1_CONF0 = CONF0_8N1 | RXFIFO_RST | TXFIFO_RST;
  UART1_CONF0 = CONF0_8N1;
  UART1_CONF1 = RXFIFO_FULL_THRHD | RX_TOUT_EN;
  UART1_MEM_CONF = (UART1_MEM_CONF & ~(0x3FFu << 16)) | RX_TOUT_BITS << 16;
  uart_configure(BOARD_RECEIVER_BAUD);
  pins_signal(BOARD_RECEIVER_TX, U1_SIGNAL);
  pins_input(BOARD_RECEIVER_RX, true, U1_SIGNAL);
  UART1_INT_ENA = RXFIFO_FULL | RXFIFO_OVF | RXFIFO_TOUT;
}

void uart_configure(uint32_t baud) {
  if (baud < 4800) return;
  const uint32_t sixteenths = (uint32_t)(((uint64_t)(BOARD_CRYSTAL_HZ / CLOCK_DIVIDER) << 4) / baud);
  UART1_CLKDIV = sixteenths >> 4 | (sixteenths & 15) << 20;
  UART1_ID = REG_UPDATE;
  for (uint32_t i = 0; i < 10000 && (UART1_ID & REG_UPDATE); i++) {
  }
}

/** From the FIFO to the ring; what the ring cannot hold is lost, the oldest stays. */
IN_RAM void uart_interrupt(void) {
  bool any = false;
  while (UART1_STATUS & 0x3FF) {
    const uint8_t byte = (uint8_t)UART1_FIFO;
    if (ring_in - ring_out < RING) {
      ring[ring_in % RING] = byte;
      ring_in = ring_in + 1;
    }
    any = true;
  }
  UART1_INT_CLR = RXFIFO_FULL | RXFIFO_OVF | RXFIFO_TOUT;
  if (any) machine_wake();
}

uint32_t uart_read(uint8_t *out, uint32_t capacity) {
  uint32_t count = 0;
  while (count < capacity && ring_out != ring_in) {
    out[count++] = ring[ring_out % RING];
    ring_out = ring_out + 1;
  }
  return count;
}

uint32_t uart_write(const uint8_t *data, uint32_t length) {
  const uint32_t used = (UART1_STATUS >> 16) & 0x3FF;
  const uint32_t room = used < FIFO_SIZE ? FIFO_SIZE - used : 0;
  if (length > room) length = room;
  for (uint32_t i = 0; i < length; i++) UART1_FIFO = data[i];
  return length;
}
