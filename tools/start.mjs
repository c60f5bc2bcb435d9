#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * npm start [-- --serve]: sets up (also on a fresh clone), then shows the stack at work.
 * See start/main.ts. Plain JavaScript, since it runs before anything is installed.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureSetup } from './setup/main.mjs'
import { root } from './setup/run.mjs'

ensureSetup()
const main = join(root, 'tools', 'start', 'main.ts')
const child = spawn(process.execPath, ['--import', 'tsx', main, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
})
// The child cleans up and exits, and this process with it. A terminal's Ctrl-C reaches it by itself.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
}
child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0)
})
