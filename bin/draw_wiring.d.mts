export declare const WIRING_FILE: string
// biome-ignore lint/suspicious/noExplicitAny: a board is whatever the schema says
export declare function drawWiring(board: any): string
