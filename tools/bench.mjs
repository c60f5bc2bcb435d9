#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/* npm run bench [-- options]: sets up, builds the benchmark programs, runs bench/run.ts. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureBench } from './setup/build.mjs'
import { ensureSetup } from './setup/main.mjs'
import { root, SetupError, step } from './setup/run.mjs'
import { benchPackages, ensureSystemPackages, isRoot } from './setup/system.mjs'

ensureSetup()
try {
    if (isRoot) await step('programs to measure', (it) => ensureSystemPackages(it, benchPackages()))
    await step('bench', ensureBench)
} catch (error) {
    console.error(error instanceof SetupError ? `setup: ${error.message}` : error)
    process.exit(1)
}
const tsx = join(root, 'node_modules', '.bin', 'tsx')
const { status } = spawnSync(tsx, ['bench/run.ts', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
process.exitCode = status ?? 1
