import { ScriptLan } from './script_lan.entry'

export class NtsClient {
  lan: ScriptLan = changetype<ScriptLan>(0)
  nextEvent(): f64 {
    return Infinity
  }
  advance(_now: f64): void {}
  begin(_now: f64): bool {
    return false
  }
  reply(_now: f64, _port: i32, _data: Uint8Array, _length: i32): void {}
  received(_at: f64, _socket: i32, _data: Uint8Array, _length: i32): void {}
  finished(_at: f64, _socket: i32): void {}
  closed(_socket: i32): void {}
}
