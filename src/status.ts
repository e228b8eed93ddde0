// `noonmark status [PORT]`: how a running appliance is. Asks its console (that of the board which `noonmark up` runs with
// this state folder, or of a real device at a serial port) for `status`, `tracking`, `sources` and `authdata`, and prints them as chronyc
// would; --json for programs.
//
// The console has no prompt: after each command comes `version`, whose answer ends that of the command.

import type { Duplex } from 'node:stream'
import { ControlError, controlConnect } from './control'
import { loadSerial, type Serial, SerialError } from './serial_transport'
import { parseReport, reportJson, reportText } from './status_report'

const BAUD = 115_200
/** The longest answer takes a tenth of a second at that rate; a board may be busy erasing its flash. */
const PATIENCE = 3000
const COMMANDS = ['status', 'tracking', 'sources', 'authdata'] as const

export type Answers = Record<(typeof COMMANDS)[number] | 'version', string[]>

export interface StatusOptions {
  state: string
  json: boolean
}

/** What the command works with; tests bring their own. */
export interface StatusTools {
  serial?: Serial
  print?: (text: string) => void
  complain?: (sentence: string) => void
}

/** Resolves to the exit status. */
export async function status(
  port: string | undefined,
  options: StatusOptions,
  tools: StatusTools = {},
): Promise<number> {
  const complain = tools.complain ?? ((sentence) => console.error(`noonmark: ${sentence}`))
  const print = tools.print ?? console.log
  try {
    const line = port === undefined ? await controlConnect(options.state) : await serialLine(port, tools.serial)
    try {
      const report = parseReport(await askConsole(line))
      print(options.json ? JSON.stringify(reportJson(report), undefined, 2) : reportText(report))
    } finally {
      line.destroy()
    }
    return 0
  } catch (error) {
    if (!(error instanceof ControlError || error instanceof SerialError)) throw error
    complain(error.message)
    return 1
  }
}

async function serialLine(port: string, given: Serial | undefined): Promise<Duplex> {
  const line = await (given ?? (await loadSerial())).open(port, BAUD)
  // As the monitor does: neither asserted, so that the chip runs on.
  line.set({ dtr: false, rts: false }, () => {})
  return line
}

/** Asks every command. */
export async function askConsole(line: Duplex, patience = PATIENCE): Promise<Answers> {
  const console = new Dialogue(line, patience)
  // Ends what somebody else may have half typed.
  await console.ask('')
  const answers: Partial<Answers> = {}
  for (const command of COMMANDS) answers[command] = await console.ask(command)
  return { ...(answers as Answers), version: [console.version] }
}

class Dialogue {
  version = ''
  private text = ''
  private lines: string[] = []
  private done: ((lines: string[]) => void) | undefined
  private fail: ((error: Error) => void) | undefined

  constructor(
    private readonly line: Duplex,
    private readonly patience: number,
  ) {
    line.on('data', (bytes: Uint8Array) => this.heard(Buffer.from(bytes).toString('latin1')))
    line.on('error', () => {})
    line.once('close', () => this.fail?.(new ControlError('the board has ended')))
  }

  ask(command: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.fail?.(
            new ControlError('the board does not answer: is this a Noonmark, and does nobody else use its console?'),
          ),
        this.patience,
      )
      this.done = (lines) => {
        clearTimeout(timer)
        this.done = undefined
        this.fail = undefined
        resolve(lines)
      }
      this.fail = (error) => {
        clearTimeout(timer)
        this.done = undefined
        this.fail = undefined
        reject(error)
      }
      this.line.write(`${command}\nversion\n`)
    })
  }

  private heard(text: string): void {
    const lines = (this.text + text).split('\n')
    this.text = lines.pop() ?? ''
    for (const line of lines.map((each) => each.trimEnd())) {
      const [, version] = /^noonmark (\d\S*)$/.exec(line) ?? []
      if (version === undefined) this.lines.push(line)
      else {
        this.version = version
        this.done?.(this.lines.splice(0))
      }
    }
  }
}
