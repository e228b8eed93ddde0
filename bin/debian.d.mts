export declare const DEBIAN_ROOT: string
export declare function fetchDebianPackages(names: string[]): string | undefined
export declare function findProgram(name: string): string | undefined
export declare function debianEnvironment(): NodeJS.ProcessEnv
