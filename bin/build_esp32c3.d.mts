export interface Tools {
  run(program: string, args: string[], options?: object): string
  env: NodeJS.ProcessEnv
  wasm2c: string
  gcc: string
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
export declare function findTools(): Tools
export declare function generateC(tools: Tools, wasm: string, out: string): number
export declare function buildImage(options?: { board?: string; wasm?: string; out?: string }): Promise<Sizes>
export declare function sizeTable(sizes: Sizes): string
export declare function budgetFaults(sizes: Sizes): string[]
