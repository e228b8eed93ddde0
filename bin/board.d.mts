export declare const DEFAULT_BOARD_FILE: string
// biome-ignore lint/suspicious/noExplicitAny: a board is whatever the schema says
export declare function readBoard(file?: string): any
export declare function boardFaults(board: unknown): string[]
// biome-ignore lint/suspicious/noExplicitAny: a board is whatever the schema says
export declare function boardHeader(board: any): string
