// Entropy: the random number generator's register, fed by the SAR ADC's noise, which this file switches on (the ROM does
// not, and without it or the radio the register is a mere generator). TRM chapters 25 and 34; NIST SP 800-90B section 4.4.
//
// Samples are taken one every 128 us, while the ADC converts at 50 kHz; their bytes pass the repetition count test
// and the adaptive proportion test, for which four bits of entropy a byte are claimed. A word of the pool folds four or more.

#include <string.h>

#include "machine.h"
#include "registers.h"

#define FORCE_XPD_SAR (3u << 30)
#define SAR_I2C_PU BIT(22)
#define ANA_I2C_SAR_FORCE_PD BIT(18)
#define ANA_I2C_SAR_FORCE_PU BIT(16)

// APB_SARADC_CTRL.
#define SAR_CLK_GATED BIT(6)
#define SAR_CLK_DIV_MASK (0xFFu << 7)
#define SAR_CLK_DIV (1u << 7)
#define SAR_PATT_LEN_MASK (7u << 15)
#define SAR_PATT_P_CLEAR BIT(23)
#define XPD_SAR_FORCE (3u << 27)
// APB_SARADC_CTRL2.
#define MEAS_NUM_LIMIT BIT(0)
#define TIMER_TARGET_MASK (0xFFFu << 12)
#define TIMER_TARGET (100u << 12)
#define TIMER_EN BIT(24)
// The rest.
#define FSM_WAIT (100u << 16 | 8u << 8 | 5u) /* standby, reset, power-up */
#define PATTERN_ADC2_CHANNEL1 0x9CFFFFu
#define APB_ADC_TRANS BIT(31)
#define CLKM_CONF (2u << 21 | BIT(20) | 15u) /* from APB, on, divided by 16 */

/** The ROM's function on the analog bus: block, host, register, highest bit, lowest bit, value. */
typedef void rom_i2c_writeReg_Mask(uint8_t, uint8_t, uint8_t, uint8_t, uint8_t, uint8_t);
#define ROM_I2C_WRITE_REG_MASK ((rom_i2c_writeReg_Mask *)0x40001960)
#define I2C_SAR_ADC 0x69
#define SAR_ADC_REFERENCE 7

/** 128 us. */
#define SAMPLE_TICKS 2048u
#define POOL 16u
#define SAMPLES_PER_WORD 4u
/** Samples that the tests must pass before the first use: 1024 bytes. */
#define START_UP 256u

/** 1 + 20 bits / 4 bits a byte. */
#define REPETITION_CUTOFF 6u
#define PROPORTION_WINDOW 512u
/** 1 + critbinom(512, 2^-4, 1 - 2^-20). */
#define PROPORTION_CUTOFF 62u

static uint32_t pool[POOL];
/** Samples in the pool, SAMPLES_PER_WORD to a word. */
static uint32_t fresh;
static uint64_t next_sample;
static bool failed;

static uint8_t last_byte, window_byte;
static uint32_t repetitions, window_position, window_count;

static void noise_on(void) {
  RTC_CNTL_SENSOR_CTRL |= FORCE_XPD_SAR;
  RTC_CNTL_ANA_CONF |= SAR_I2C_PU;
  ANA_CONFIG &= ~ANA_I2C_SAR_FORCE_PD;
  ANA_CONFIG2 |= ANA_I2C_SAR_FORCE_PU;
  // ADC2 measures its own reference, so nothing outside the chip decides what is converted.
  ROM_I2C_WRITE_REG_MASK(I2C_SAR_ADC, 0, SAR_ADC_REFERENCE, 6, 6, 1);
  ROM_I2C_WRITE_REG_MASK(I2C_SAR_ADC, 0, SAR_ADC_REFERENCE, 1, 0, 0);
  ROM_I2C_WRITE_REG_MASK(I2C_SAR_ADC, 0, SAR_ADC_REFERENCE, 3, 3, 0);
  ROM_I2C_WRITE_REG_MASK(I2C_SAR_ADC, 0, SAR_ADC_REFERENCE, 2, 2, 0);

  APB_SARADC_CLKM_CONF = CLKM_CONF;
  APB_SARADC_FSM_WAIT = FSM_WAIT;
  const uint32_t control = APB_SARADC_CTRL & ~(SAR_CLK_DIV_MASK | SAR_PATT_LEN_MASK);
  APB_SARADC_CTRL = control | SAR_CLK_GATED | XPD_SAR_FORCE | SAR_CLK_DIV | SAR_PATT_P_CLEAR;
  APB_SARADC_CTRL = control | SAR_CLK_GATED | XPD_SAR_FORCE | SAR_CLK_DIV;
  APB_SARADC_SAR_PATT_TAB1 = PATTERN_ADC2_CHANNEL1;
  APB_SARADC_SAR_PATT_TAB2 = 0xFFFFFF;
  APB_SARADC_DMA_CONF |= APB_ADC_TRANS;
  APB_SARADC_CTRL2 = (APB_SARADC_CTRL2 & ~(MEAS_NUM_LIMIT | TIMER_TARGET_MASK)) | TIMER_TARGET | TIMER_EN;
}

/** SP 800-90B 4.4.1 and 4.4.2 on one byte. */
static void test(uint8_t byte) {
  repetitions = byte == last_byte ? repetitions + 1 : 1;
  last_byte = byte;
  if (repetitions >= REPETITION_CUTOFF) failed = true;
  if (window_position == 0) {
    window_byte = byte;
    window_count = 0;
  }
  if (byte == window_byte && ++window_count >= PROPORTION_CUTOFF) failed = true;
  window_position = (window_position + 1) % PROPORTION_WINDOW;
}

static uint32_t sample(void) {
  const uint32_t word = RNG_DATA;
  for (int shift = 0; shift < 32; shift += 8) test((uint8_t)(word >> shift));
  return word;
}

static void collect(void) {
  const uint32_t word = sample();
  const uint32_t slot = fresh / SAMPLES_PER_WORD % POOL;
  pool[slot] = (pool[slot] << 7 | pool[slot] >> 25) ^ word;
  fresh++;
  next_sample = systimer_ticks() + SAMPLE_TICKS;
}

/** The tests from their beginning: twice through the window. Takes 33 ms. */
static void start_up(void) {
  failed = false;
  repetitions = 0;
  window_position = 0;
  for (uint32_t i = 0; i < START_UP; i++) {
    while (systimer_ticks() < next_sample) {
    }
    collect();
  }
}

void entropy_start(void) {
  noise_on();
  start_up();
}

void entropy_gather(void) {
  if (systimer_ticks() >= next_sample) collect();
}

/** Each word of the pool goes out once; those that have not gathered yet are waited for, half a millisecond each. */
int32_t entropy_read(uint8_t *out, uint32_t length) {
  if (failed) start_up();
  while (length) {
    while (fresh < SAMPLES_PER_WORD) entropy_gather();
    const uint32_t slot = (fresh / SAMPLES_PER_WORD < POOL ? fresh / SAMPLES_PER_WORD : POOL) - 1;
    fresh = slot * SAMPLES_PER_WORD;
    const uint32_t part = length < 4 ? length : 4;
    memcpy(out, &pool[slot], part);
    pool[slot] = 0;
    out += part;
    length -= part;
  }
  return failed ? HAL_FAULT : 0;
}
