export interface Tools {
  run(program: string, args: string[], options?: object): string
  env: NodeJS.ProcessEnv
  wasm2c: string
  gcc: string
  /** Flags that an unpacked gcc needs to find its parts. */
  here: string[]
  include: string
  libraries: string
  binutils(name: string): string
}
export interface Sizes {
  rows: [name: string, flash: number, ram: number][]
  flash: number
  ram: number
  budget: { flash: number; ram: number }
  bin: string
  elf: string
}
/** Flags of every file of the image. */
export declare const COMPILE: string[]
export declare function findTools(): Tools
export declare function generateC(tools: Tools, wasm: string, out: string): number
export declare function buildImage(options?: { board?: string; wasm?: string; out?: string }): Promise<Sizes>
export declare function sizeTable(sizes: Sizes): string
export declare function budgetFaults(sizes: Sizes): string[]
