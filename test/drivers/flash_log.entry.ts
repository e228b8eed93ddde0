// The flash log over whatever flash the test provides.

export {
  crc32,
  logCapacity,
  logFaults,
  logFits,
  logLength,
  logMaintain,
  logMount,
  logRead,
  logSpare,
  logWrite,
} from '../../firmware/drivers/flash_log'

const BUFFER: usize = memory.data(8192, 8)

export function buffer(): usize {
  return BUFFER
}
