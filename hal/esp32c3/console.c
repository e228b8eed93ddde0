// The console: USB Serial/JTAG. Never waits: with no host at the other end, output is dropped. TRM chapter 30.

#include "machine.h"
#include "registers.h"

#define WR_DONE BIT(0)
#define SERIAL_IN_EP_DATA_FREE BIT(1)
#define SERIAL_OUT_EP_DATA_AVAIL BIT(2)
#define SERIAL_OUT_RECV_PKT BIT(2)
#define SERIAL_IN_EMPTY BIT(3)

/** A host that has not fetched anything for this long is not there: 50 ms. */
#define PATIENCE 800000u

static uint64_t taken_at;

void console_start(void) { console_interrupt(); }

/** Typed bytes stay in the peripheral's FIFO until console_read. */
IN_RAM void console_interrupt(void) {
  USB_DEVICE_INT_CLR = SERIAL_OUT_RECV_PKT | SERIAL_IN_EMPTY;
  USB_DEVICE_INT_ENA = SERIAL_OUT_RECV_PKT;
}

uint32_t console_read(uint8_t *out, uint32_t capacity) {
  uint32_t count = 0;
  while (count < capacity && (USB_DEVICE_EP1_CONF & SERIAL_OUT_EP_DATA_AVAIL)) out[count++] = (uint8_t)USB_DEVICE_EP1;
  return count;
}

uint32_t console_write(const uint8_t *data, uint32_t length) {
  uint32_t count = 0;
  while (count < length && (USB_DEVICE_EP1_CONF & SERIAL_IN_EP_DATA_FREE)) USB_DEVICE_EP1 = data[count++];
  if (count) USB_DEVICE_EP1_CONF = WR_DONE;
  const uint64_t now = systimer_ticks();
  if (count || length == 0) taken_at = now;
  if (count == length) return count;
  if (now - taken_at > PATIENCE) return length;
  // The rest goes when the host has fetched this packet.
  USB_DEVICE_INT_ENA = SERIAL_OUT_RECV_PKT | SERIAL_IN_EMPTY;
  return count;
}
