export declare const CHIPS: string[]
export declare function buildChips(): Promise<void>
export declare function writeFlasherArgs(size: number): void
