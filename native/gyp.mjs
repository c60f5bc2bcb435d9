#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * What binding.gyp runs: builds the addon and the library with cmake and copies them to node-gyp's
 * output folder. Needs only what is in the package (and the system packages that docs name).
 *
 *     node native/gyp.mjs OUTPUT NODE_ROOT
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const [output, nodeRoot] = process.argv.slice(2)
const native = fileURLToPath(new URL('.', import.meta.url))
const build = resolve(output, '..', 'cmake')

function run(...command) {
    const { status, error } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' })
    if (error) console.error(`${command[0]}: ${error.message}`)
    if (status !== 0) process.exit(status ?? 1)
}

const settings = ['CMAKE_BUILD_TYPE=Release', 'PRONGHORN_TESTS=OFF', 'PRONGHORN_BENCH=OFF']
// Node's own headers when node-gyp has them; else cmake looks for the package node-api-headers.
const headers = join(nodeRoot ?? '', 'include', 'node')
if (existsSync(join(headers, 'node_api.h'))) settings.push(`CMAKE_JS_INC=${headers}`)

mkdirSync(output, { recursive: true })
run('cmake', '-S', native, '-B', build, '-G', 'Ninja', ...settings.map((setting) => `-D${setting}`))
run('cmake', '--build', build, '--parallel', String(availableParallelism()))
// The addon, the library, and the drivers that are plugins of it: one folder, found by $ORIGIN.
for (const name of readdirSync(build).filter((file) => /^(lib)?pronghorn.*\.(node|so)$/.test(file))) {
    copyFileSync(join(build, name), join(output, name))
}
