// An errand: one NTS key exchange with a server. Not there yet: every exchange fails.

import { NtsSession } from '../nts/session'
import { ErrandFailure, Progress } from './upstream_errand'
import { ServerOption } from './upstream_options'

export function keInit(): void {}
export function keCertificateTime(_earliest: i64, _latest: i64, _dates: u32): void {}
export function keBegin(_option: ServerOption, _address: u32, _now: u64): void {}
export function kePoll(_now: u64): Progress {
  return Progress.Failed
}
export function keDue(): u64 {
  return 0
}
export function keFailure(): u32 {
  return ErrandFailure.NoConnection
}
export function keTake(_session: NtsSession): void {}
export function keServer(): usize {
  return 0
}
export function keServerLength(): u32 {
  return 0
}
export function keDecided(): bool {
  return false
}
export function keForget(): void {}
