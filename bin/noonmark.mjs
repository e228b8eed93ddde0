#!/usr/bin/env node
// The `noonmark` command: sets up what is missing, then runs src/main.ts.

import { setUp } from './setup.mjs'

await setUp()
await import('../build/noonmark.mjs')
