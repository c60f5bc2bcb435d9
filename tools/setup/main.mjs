#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a fresh clone ready: system packages, npm packages, native build, dist/. Plain Node without
 * dependencies, since it runs before there are any. Quick when nothing changed; may be killed at any
 * moment and run again; two at once wait for each other.
 *
 *     node tools/setup/main.mjs [--build]     --build: compile again even if nothing changed
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDist, ensureNative, ensureNodeModules } from './build.mjs'
import { root, SetupError, step } from './run.mjs'
import { ensureSystemPackages } from './system.mjs'

const MINIMUM_NODE = 20
const LOCK_TAKEN = 75

async function setUp(force) {
    await step('system packages', ensureSystemPackages)
    await step('npm packages', ensureNodeModules)
    await step('native', (it) => ensureNative(it, force))
    await step('dist', (it) => ensureDist(it, force))
}

/* Runs this script again under flock(1): the kernel drops the lock however the holder ends. */
function runLocked(args) {
    mkdirSync(join(root, 'build'), { recursive: true })
    const lock = join(root, 'build', '.setup.lock')
    const command = [lock, process.execPath, fileURLToPath(import.meta.url), '--locked', ...args]
    const options = { stdio: 'inherit', cwd: root }
    let result = spawnSync('flock', ['-n', '-E', String(LOCK_TAKEN), ...command], options)
    if (result.status === LOCK_TAKEN) {
        console.log('setup: waiting for another set-up of this folder to finish')
        result = spawnSync('flock', command, options)
    }
    if (result.error)
        throw new SetupError(`flock (package util-linux) cannot be run: ${result.error.message}`)
    return result.status ?? 1
}

/* For the other tools: sets up, and exits with a plain message if that fails. */
export function ensureSetup(args = []) {
    try {
        const status = runLocked(args)
        if (status !== 0) process.exit(status)
    } catch (error) {
        fail(error)
    }
}

function fail(error) {
    console.error(error instanceof SetupError ? `setup: ${error.message}` : error)
    process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const args = process.argv.slice(2)
    if (Number(process.versions.node.split('.')[0]) < MINIMUM_NODE) {
        fail(new SetupError(`Node ${MINIMUM_NODE} or newer is needed; this is ${process.version}`))
    }
    if (args.includes('--locked')) await setUp(args.includes('--build')).catch(fail)
    else ensureSetup(args)
}
