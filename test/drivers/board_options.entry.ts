// Settings and options for their test: keys are passed by number, since literals cannot come from outside.

export {
  optionFault,
  optionLength,
  optionRefuse,
  optionText,
  optionWord,
  optionWordAddress,
  optionWordLength,
  optionWordNumber,
  optionWordText,
} from '../../firmware/drivers/board_options'

import {
  optionCount,
  optionFind,
  optionIs,
  optionNumber,
  optionSwitch,
  optionWordIs,
} from '../../firmware/drivers/board_options'
import { Calibration, settingsCalibration } from '../../firmware/drivers/board_settings'

export {
  settingsAddress,
  settingsNames,
  settingsNamesLength,
  settingsNtpPort,
  settingsOptionsLength,
  settingsRead,
} from '../../firmware/drivers/board_settings'

export function server(index: u32): bool {
  return optionFind('server', index)
}

export function servers(): u32 {
  return optionCount('server')
}

export function smear(otherwise: bool): bool {
  return optionSwitch('smear', otherwise)
}

export function limit(otherwise: u32): u32 {
  return optionNumber('limit', 1, 16, otherwise)
}

export function isStrict(): bool {
  return optionFind('certificate-time') && optionIs('strict')
}

export function wordIsNts(): bool {
  return optionWordIs('nts')
}

export function calibration(i: u32): i32 {
  return settingsCalibration(<Calibration>(Calibration.PulseDelay + 4 * i))
}
