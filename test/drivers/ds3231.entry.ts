// The DS3231 driver over whatever bus the test provides.

export {
  rtcMarkedAt,
  rtcMarkSet,
  rtcRead,
  rtcReadTime,
  rtcSeconds,
  rtcSquareWave,
  rtcTemperature,
  rtcWriteTime,
} from '../../firmware/drivers/ds3231'
