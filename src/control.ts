// The way to a running board's console: a socket in its state folder (Windows: a named pipe), as a serial port would be on
// a real one. What comes in is typed at the console, what the console prints goes back. Like a serial port it serves one at a time:
// who comes while another is there waits.
//
// Only the folder's owner may connect: the socket has mode 0600. Who holds the folder's lock owns the socket, so one that is found there
// belongs to nobody any more. A folder whose path is too long for a socket has none, and says so.

import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join, relative, resolve } from 'node:path'

/** Bytes of a socket's path, on the system that allows fewest (macOS). */
const PATH_MAX = 103

/** Unread text, in bytes, at which a listener is given up. */
const UNREAD_MAX = 1 << 20

const WINDOWS = process.platform === 'win32'

/** Where the board of a state folder listens; undefined when the path is too long. */
export function controlPath(folder: string): string | undefined {
  const full = resolve(folder)
  if (WINDOWS) {
    return `\\\\.\\pipe\\noonmark-${createHash('sha256').update(full.toLowerCase()).digest('hex').slice(0, 32)}`
  }
  const socket = join(full, 'control')
  return [socket, relative(process.cwd(), socket)].find((path) => Buffer.byteLength(path) <= PATH_MAX)
}

export class ControlSocket {
  private readonly server: Server
  /** Who is connected; the first one has the console. */
  private readonly queue: Socket[] = []

  /** Undefined: there can be none, and `complain` has been told why. */
  static open(
    folder: string,
    type: (text: string) => void,
    complain: (sentence: string) => void,
  ): ControlSocket | undefined {
    const path = controlPath(folder)
    if (path === undefined) {
      complain(`\`noonmark status\` will not reach this board: the path of ${folder} is too long for a socket`)
      return undefined
    }
    if (!WINDOWS) rmSync(path, { force: true })
    return new ControlSocket(path, type, complain)
  }

  private constructor(
    private readonly path: string,
    private readonly type: (text: string) => void,
    complain: (sentence: string) => void,
  ) {
    this.server = createServer((socket) => {
      this.queue.push(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.leave(socket))
      if (this.queue.length === 1) this.serve()
    })
    this.server.on('error', (error) => complain(`\`noonmark status\` will not reach this board: ${error.message}`))
    // The socket is made within listen(): at no moment may others connect.
    const before = process.umask(0o177)
    try {
      this.server.listen(path)
    } finally {
      process.umask(before)
    }
  }

  /** What the console has printed. */
  print(text: string): void {
    const [socket] = this.queue
    if (socket === undefined) return
    if (socket.writableLength > UNREAD_MAX) socket.destroy()
    else socket.write(text)
  }

  private serve(): void {
    this.queue[0]?.on('data', (bytes: Buffer) => this.type(bytes.toString('latin1')))
  }

  private leave(socket: Socket): void {
    const place = this.queue.indexOf(socket)
    this.queue.splice(place, 1)
    if (place === 0) this.serve()
  }

  close(): void {
    for (const socket of this.queue) socket.destroy()
    this.server.close()
    if (!WINDOWS) rmSync(this.path, { force: true })
  }
}

export class ControlError extends Error {}

/** Connects to the board of a state folder. */
export function controlConnect(folder: string): Promise<Socket> {
  const path = controlPath(folder)
  return new Promise((done, fail) => {
    if (path === undefined) {
      fail(new ControlError(`the path of ${resolve(folder)} is too long for a socket: run this in a folder near it`))
      return
    }
    const socket = connect(path)
    socket.once('connect', () => done(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => fail(new ControlError(explain(error, resolve(folder)))))
  })
}

function explain(error: NodeJS.ErrnoException, folder: string): string {
  if (error.code === 'EACCES' || error.code === 'EPERM') return `the board of ${folder} belongs to another user`
  if (error.code !== 'ENOENT' && error.code !== 'ECONNREFUSED') return `the board of ${folder}: ${error.message}`
  return (
    `no board runs with the state folder ${folder}: start one with \`noonmark up\`, name another folder with --state, ` +
    'or a real device by its serial port (`noonmark status /dev/ttyACM0`)'
  )
}
