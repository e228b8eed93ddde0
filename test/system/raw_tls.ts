// A TLS 1.3 client that sends any bytes to the KE port and returns what the server says, to its end.

import { once } from 'node:events'
import { connect } from 'node:tls'
import type { LanBoard } from '../../src/lan_board'

export async function rawKeyExchange(
  board: LanBoard,
  request: Uint8Array,
  stream = board.connect(),
): Promise<Uint8Array> {
  const socket = connect({
    socket: stream,
    servername: 'localhost',
    // Its dates are in the board's time, not in the host's.
    rejectUnauthorized: false,
    ALPNProtocols: ['ntske/1'],
    minVersion: 'TLSv1.3',
  })
  const parts: Buffer[] = []
  socket.on('data', (chunk: Buffer) => parts.push(chunk))
  try {
    await once(socket, 'secureConnect')
    socket.write(request)
    await once(socket, 'end')
    return Buffer.concat(parts)
  } finally {
    socket.destroy()
    stream.destroy()
  }
}
