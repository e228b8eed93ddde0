// The `noonmark` command: its table of subcommands. Each does its work in a file of its own name.

import { Command, InvalidArgumentError, Option } from 'commander'

const program = new Command()
program
  .name('noonmark')
  .description('A GPS-disciplined NTS time appliance: the virtual board, and tools for the real one')
  .version('0.1.0')
  .showHelpAfterError()

program
  .command('up')
  .description('boot a board and serve NTP and NTS until Ctrl-C')
  .addOption(
    new Option('--board <name>', 'virtual: the module itself; esp32c3: its flash image on the simulated chip')
      .choices(['virtual', 'esp32c3'])
      .default('virtual'),
  )
  .option('--state <dir>', 'folder for flash, RTC and ca.pem; kept between runs', 'state')
  .option('--address <ip>', 'IPv4 address to serve on', '127.0.0.1')
  .option('--ntp-port <port>', 'UDP port of NTP', port, 11123)
  .option('--ke-port <port>', 'TCP port of NTS key establishment', port, 14460)
  .option('--seed <n>', "seed of the simulated crystal's and receiver's imperfections", integer, 1)
  .option('--cold', 'a cold sky: the receiver needs half a minute or more for its first fix', false)
  .option('--no-sky', 'an antenna that sees nothing: the time comes from upstream servers alone')
  .option('--option <key=value>', 'a setting of the board (docs/operating.md); may be repeated', boardOption, [])
  .option('--console', "show the device's own console on stderr", false)
  .action(async (options) => {
    const { up } = await import('./up')
    process.exitCode = await up(options)
  })

program
  .command('ask')
  .description('ask an NTS server for the time and show what it says')
  .argument('<host>', 'name or address of the server')
  .option('--ke-port <port>', 'TCP port of NTS key establishment', port, 4460)
  .option('--ca <file>', 'PEM file with the certificate authority to trust instead of the system list')
  .option('-n, --samples <n>', 'number of NTP exchanges', positive, 4)
  .option('--aead <id...>', 'AEAD algorithms to offer, in order: 30 (AES-128-GCM-SIV), 15 (AES-SIV-CMAC-256)', integers)
  .action(async (host, options) => {
    const { askCommand } = await import('./ask')
    process.exitCode = await askCommand(host, options)
  })

program
  .command('bench')
  .description('measure replies and handshakes: rates on the virtual board, instructions of the flash image, sizes')
  .addOption(new Option('--board <name>', 'what to measure').choices(['all', 'virtual', 'esp32c3']).default('all'))
  .option('--json', 'print JSON instead of a table', false)
  .option('--seconds <n>', 'time for each measurement', positive, 2)
  .option('--plots <dir>', "draw the clock's errors in its scenarios as SVG into a folder, and measure nothing else")
  .action(async (options) => {
    if (options.plots !== undefined) {
      const { clockPlots } = await import('./plots/clock_plots')
      clockPlots(options.plots)
      return
    }
    const { bench } = await import('./bench')
    process.exitCode = await bench(options)
  })

program
  .command('flash')
  .description('write the ESP32-C3 image, anchors and settings to a board over its serial port, and verify them')
  .argument('[port]', 'serial port, such as /dev/ttyACM0 or COM3; without one, the ports are listed')
  .option('--image <file>', 'the image, instead of build/esp32c3/noonmark.bin')
  .option('--no-image', 'leave the image that is there, and write only --anchors and --settings')
  .option('--anchors [file]', 'write trust anchors too: of `noonmark anchors --out`, or of the system bundle')
  .option(
    '--settings <file>',
    "write the device's own settings too: JSON with keys of the board file's network, and options",
  )
  .option('--baud <n>', 'rate on a UART; on the own USB port it means nothing', integer, 460_800)
  .option('--erase', 'empty the whole flash first: keys, certificates, anchors and settings are lost', false)
  .option('--list', 'only list the serial ports', false)
  .action(async (serialPort, options) => {
    const { flash } = await import('./flash')
    process.exitCode = await flash(serialPort, options)
  })

program
  .command('monitor')
  .description("show the device's console and type commands to it; Ctrl-C ends")
  .argument('[port]', 'serial port, such as /dev/ttyACM0 or COM3; without one, the ports are listed')
  .option('--list', 'only list the serial ports', false)
  .action(async (serialPort, options) => {
    const { monitor } = await import('./monitor')
    process.exitCode = await monitor(serialPort, options)
  })

program
  .command('status')
  .description('show how a running appliance is: tracking, sources and authdata, in the columns of chronyc')
  .argument('[port]', 'serial port of a real device; without one, the board that `noonmark up` runs')
  .option('--state <dir>', 'the folder with which `noonmark up` runs', 'state')
  .option('--json', 'print JSON instead of tables', false)
  .action(async (serialPort, options) => {
    const { status } = await import('./status')
    process.exitCode = await status(serialPort, options)
  })

program
  .command('anchors')
  .description('make the trust anchors of upstream servers from PEM files, the system bundle by default')
  .argument('[file...]', 'PEM files with the authorities to trust, instead of the system bundle')
  .option('--ca <label=file...>', 'an authority for the servers alone that name its label (`ca=LABEL`)', gather, [])
  .option('--no-system', 'trust none for all servers, only those of --ca')
  .option('--state <dir>', "the virtual board's folder, which gets anchors.bin", 'state')
  .option('--out <file>', 'write the image there instead, to be flashed')
  .option('--list', 'list the anchors that were taken', false)
  .action(async (files, options) => {
    const { anchors } = await import('./anchors')
    process.exitCode = await anchors(files, options)
  })

const sim = program.command('sim').description('simulations: the clock, the ESP32-C3 and its processor core')

sim
  .command('elf')
  .description('run a bare RV32IMC program until it stores to its symbol `tohost`: status 0 for the value 1')
  .argument('<file>', 'ELF executable; memory is where its segments are')
  .option('--limit <n>', 'instructions at most', integer, 1_000_000_000)
  .option('--memory <start:size...>', 'more memory, such as a stack: 0x80010000:0x4000', memories, [])
  .option('--misaligned', 'let misaligned loads and stores work instead of trapping', false)
  .option('--stats', 'tell how many instructions ran, and how fast', false)
  .action(async (file, options) => {
    const { simElf } = await import('./sim_elf')
    process.exitCode = simElf(file, options)
  })

sim
  .command('clock')
  .description("run the firmware's clock over recorded pulses: meta.json, pulses.csv and truth.csv in a folder")
  .argument('<folder>', 'the scenario')
  .requiredOption('--out <file>', 'where the served times go: true_s,served_s,dispersion_s')
  .action(async (folder, options) => {
    const { simClock } = await import('./sim_clock')
    process.exitCode = simClock(folder, options)
  })

sim
  .command('soak')
  .description('let the virtual board live for days in virtual time and hold what it serves against the truth')
  .argument('[story]', 'YAML file: what happens, and the limits; without one, misfortunes by chance')
  .option('--days <n>', 'days of misfortunes by chance', amount, 1)
  .option('--seed <n>', 'seed of everything that chance does', integer, 1)
  .option('--json', 'print JSON instead of text', false)
  .action(async (story, options) => {
    const { simSoak } = await import('./sim_soak')
    process.exitCode = simSoak(story, options)
  })

sim
  .command('pulses')
  .description('make a scenario for `sim clock`: coldstart, steady6h, steady24h, outage1h, outage24h, leap or spoof')
  .argument('<name>', 'what happens')
  .requiredOption('--out <dir>', 'folder for meta.json, pulses.csv and truth.csv')
  .option('--seed <n>', 'seed of everything that chance does', integer, 1)
  .addOption(
    new Option('--capture <kind>', 'what takes the edge').choices(['interrupt', 'hardware']).default('interrupt'),
  )
  .addOption(
    new Option('--thermometer <where>', 'column temperature_c').choices(['none', 'room', 'board']).default('none'),
  )
  .action(async (name, options) => {
    const { simPulses } = await import('./sim_pulses')
    process.exitCode = simPulses(name, options)
  })

sim
  .command('scenario')
  .description('play a Wokwi automation scenario (sim/wokwi/scenarios) offline, on the simulated board')
  .argument('<file>', 'scenario in YAML')
  .option('--wokwi', "play it on Wokwi's servers instead; needs WOKWI_CLI_TOKEN", false)
  .option('--timeout <ms>', 'simulated milliseconds that it may take', integer, 300_000)
  .option('--quiet', 'show the steps only, not what board and chips say', false)
  .action(async (file, options) => {
    const { simScenario } = await import('./sim_scenario')
    process.exitCode = await simScenario(file, options)
  })

// Who reads our output may leave early (`| head`): the board serves on, and a command ends with its own status.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

await program.parseAsync()

function boardOption(text: string, before: string[]): string[] {
  if (!/^[a-z][a-z0-9-]*=[ -~]*$/.test(text)) throw new InvalidArgumentError('KEY=VALUE is needed, in ASCII.')
  const all = [...before, text]
  if (all.join('\0').length > 1024) throw new InvalidArgumentError('the options take more than 1,024 bytes.')
  return all
}

function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

function amount(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 3650)) throw new InvalidArgumentError('not a number of days above 0.')
  return value
}

function positive(text: string): number {
  const value = integer(text)
  if (value === 0) throw new InvalidArgumentError('a number from 1 on is needed.')
  return value
}

function integers(text: string, before: number[] = []): number[] {
  return [...before, ...text.split(',').map(integer)]
}

function gather(text: string, before: string[] = []): string[] {
  return [...before, text]
}

function port(text: string): number {
  const value = integer(text)
  if (value < 1 || value > 65535) throw new InvalidArgumentError('a port is a number from 1 to 65535.')
  return value
}

function memories(text: string, before: { address: number; size: number }[]): { address: number; size: number }[] {
  const [, address, size] = /^(0x[0-9a-f]{1,8}|\d{1,10}):(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(text) ?? []
  if (!address || !size) throw new InvalidArgumentError('start:size is needed, such as 0x80010000:0x4000.')
  return [...before, { address: Number(address), size: Number(size) }]
}
