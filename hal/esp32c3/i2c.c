// I2C0 as master: one transaction a call, within the peripheral's 32-byte FIFO. TRM chapter 28.

#include "board.h"
#include "machine.h"
#include "registers.h"

#define SCL_SIGNAL 53
#define SDA_SIGNAL 54
#define PAD_OPEN_DRAIN BIT(2)

// I2C0_CTR.
#define SDA_FORCE_OUT BIT(0)
#define SCL_FORCE_OUT BIT(1)
#define MS_MODE BIT(4)
#define TRANS_START BIT(5)
#define CLK_EN BIT(8)
#define FSM_RST BIT(10)
#define CONF_UPGATE BIT(11)
#define MASTER (SDA_FORCE_OUT | SCL_FORCE_OUT | MS_MODE | CLK_EN)

#define BUS_BUSY BIT(4)
#define RX_FIFO_RST BIT(12)
#define TX_FIFO_RST BIT(13)
#define SCLK_ACTIVE BIT(21)
#define TIME_OUT_2_POW_16 (BIT(5) | 16u)
#define SCL_RST_SLV_EN BIT(0)
#define SCL_RST_SLV_NUM (9u << 1)

// I2C0_INT_RAW.
#define ARBITRATION_LOST BIT(5)
#define TRANS_COMPLETE BIT(7)
#define TIME_OUT BIT(8)
#define NACK BIT(10)
#define ALL_CAUSES 0x3FFFFu

// I2C0_COMDn.
#define RSTART (6u << 11)
#define STOP (2u << 11)
#define WRITE(n) (1u << 11 | BIT(8) | (n)) /* check that every byte is acknowledged */
#define READ_ACK(n) (3u << 11 | (n))
#define READ_NACK(n) (3u << 11 | BIT(10) | (n))

#define FIFO_SIZE 32u
#define TICKS_PER_BYTE (16000000u * 10 / BOARD_RTC_CLOCK_HZ)
/** Beyond the transfer's own time: a slave may stretch the clock. 1 ms. */
#define GRACE 16000u

static void timing(void) {
  const uint32_t half = BOARD_CRYSTAL_HZ / BOARD_RTC_CLOCK_HZ / 2;
  const uint32_t wait_high = half / 2 - 2;
  I2C0_CLK_CONF = SCLK_ACTIVE;
  I2C0_SCL_LOW_PERIOD = half - 1;
  I2C0_SCL_HIGH_PERIOD = (half - wait_high) | wait_high << 9;
  I2C0_SDA_HOLD = half / 4 - 1;
  I2C0_SDA_SAMPLE = half / 2 - 1;
  I2C0_SCL_START_HOLD = I2C0_SCL_RSTART_SETUP = I2C0_SCL_STOP_HOLD = I2C0_SCL_STOP_SETUP = half - 1;
  I2C0_FILTER_CFG = 0x377; // both lines, 7 clocks of 25 ns
  I2C0_TO = TIME_OUT_2_POW_16;
}

static void line(uint32_t gpio, uint32_t signal) {
  GPIO_PIN(gpio) = PAD_OPEN_DRAIN;
  pins_signal(gpio, signal);
  pins_input(gpio, true, signal);
}

void i2c_start(void) {
  I2C0_CTR = MASTER;
  timing();
  I2C0_CTR = MASTER | CONF_UPGATE;
  line(BOARD_RTC_SDA, SDA_SIGNAL);
  line(BOARD_RTC_SCL, SCL_SIGNAL);
}

/** A slave that lost count holds SDA low: nine clocks let it finish its byte. */
static void recover(void) {
  I2C0_CTR = MASTER | FSM_RST;
  I2C0_SCL_SP_CONF = SCL_RST_SLV_NUM | SCL_RST_SLV_EN;
  I2C0_CTR = MASTER | CONF_UPGATE;
  const uint64_t end = systimer_ticks() + 10 * TICKS_PER_BYTE;
  while ((I2C0_SCL_SP_CONF & SCL_RST_SLV_EN) && systimer_ticks() < end) systimer_nap();
  I2C0_SCL_SP_CONF = 0;
  timing();
  I2C0_CTR = MASTER | CONF_UPGATE;
}

/** Fills FIFO and command list; returns how many bytes will cross the bus. */
static uint32_t prepare(uint32_t address, const uint8_t *write, uint32_t write_length, uint32_t read_length) {
  uint32_t command = 0, bytes = 0;
  if (write_length || !read_length) {
    I2C0_DATA = address << 1;
    for (uint32_t i = 0; i < write_length; i++) I2C0_DATA = write[i];
    I2C0_COMD(command++) = RSTART;
    I2C0_COMD(command++) = WRITE(write_length + 1);
    bytes += write_length + 1;
  }
  if (read_length) {
    I2C0_DATA = address << 1 | 1;
    I2C0_COMD(command++) = RSTART;
    I2C0_COMD(command++) = WRITE(1);
    if (read_length > 1) I2C0_COMD(command++) = READ_ACK(read_length - 1);
    I2C0_COMD(command++) = READ_NACK(1);
    bytes += read_length + 1;
  }
  I2C0_COMD(command) = STOP;
  return bytes;
}

int32_t i2c_transfer(uint32_t address, const uint8_t *write, uint32_t write_length, uint8_t *read, uint32_t read_length) {
  if (write_length + 2 > FIFO_SIZE || read_length > FIFO_SIZE) return HAL_RANGE;
  if (I2C0_SR & BUS_BUSY) recover();
  I2C0_FIFO_CONF = RX_FIFO_RST | TX_FIFO_RST;
  I2C0_FIFO_CONF = 0;
  I2C0_INT_CLR = ALL_CAUSES;
  const uint32_t bytes = prepare(address, write, write_length, read_length);
  I2C0_CTR = MASTER | CONF_UPGATE;
  I2C0_CTR = MASTER | TRANS_START;

  const uint64_t end = systimer_ticks() + (uint64_t)bytes * TICKS_PER_BYTE + GRACE;
  uint32_t cause;
  while (!(cause = I2C0_INT_RAW & (ARBITRATION_LOST | TRANS_COMPLETE | TIME_OUT | NACK)) && systimer_ticks() < end) systimer_nap();

  if (cause & NACK) {
    while ((I2C0_SR & BUS_BUSY) && systimer_ticks() < end) systimer_nap(); // until the peripheral has sent its STOP
    return HAL_NACK;
  }
  if (!(cause & TRANS_COMPLETE)) {
    recover();
    return HAL_TIMEOUT;
  }
  for (uint32_t i = 0; i < read_length; i++) read[i] = (uint8_t)I2C0_DATA;
  return 0;
}
