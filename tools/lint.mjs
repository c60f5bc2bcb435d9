#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * npm run lint [-- --fix]: layers, text rules, format and lint of TypeScript (biome), types (tsc), doc comments
 * (typedoc).
 * Runs all of them and fails if any does.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureNodeModules } from './setup/build.mjs'
import { root, step } from './setup/run.mjs'

const fix = process.argv.includes('--fix')
const bin = (name) => join(root, 'node_modules', '.bin', name)

await step('npm packages', ensureNodeModules)

const checks = [
    ['layers', process.execPath, 'tools/check/layers.mjs'],
    ['text', process.execPath, 'tools/check/text.mjs'],
    ['biome', bin('biome'), 'check', '--error-on-warnings', ...(fix ? ['--write'] : [])],
    ['types', bin('tsc'), '--noEmit'],
    // Every public member says what it is.
    ['docs', bin('typedoc'), '--emit', 'none'],
]
// Generators keep what they wrote; here they only say whether it is still true.
const generators = join(root, 'tools', 'generate')
if (existsSync(generators)) {
    for (const name of readdirSync(generators).filter((file) => file.endsWith('.mjs'))) {
        checks.push([
            `generate/${name}`,
            process.execPath,
            join(generators, name),
            ...(fix ? [] : ['--check']),
        ])
    }
}

let failed = 0
for (const [name, ...command] of checks) {
    const start = performance.now()
    const { status, stdout, stderr } = spawnSync(command[0], command.slice(1), {
        cwd: root,
        encoding: 'utf8',
    })
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${status === 0 ? 'ok' : 'not ok'} ${name} (${seconds} s)`)
    if (status !== 0) {
        failed++
        console.error(`${stdout}${stderr}`)
    }
}
process.exitCode = failed ? 1 : 0
