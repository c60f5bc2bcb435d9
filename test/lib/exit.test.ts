// SPDX-License-Identifier: Apache-2.0
// Every way out: a process or a worker that ends with live connections ends at once, with the right
// code, and tells its peers.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { settings } from './stack.js'

interface Ended {
    code: number | null
    signal: NodeJS.Signals | null
    out: string
    ms: number
}

const program = fileURLToPath(new URL('exit-program.ts', import.meta.url))

function play(name: string, signal?: NodeJS.Signals): Promise<Ended> {
    return new Promise((resolve) => {
        const start = performance.now()
        const env = { ...process.env, ...(process.env.PRONGHORN_TEST_HOST ? {} : settings) }
        // Without tap's own hooks in the child, which catch signals.
        const node = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx']
        const child = spawn('env', [...node, program, name], { env })
        let out = ''
        let up = false
        child.stdout.on('data', (data) => {
            out += data
            if (signal && !up && out.includes('up\n')) {
                up = true
                child.kill(signal)
            }
        })
        child.stderr.on('data', (data) => {
            out += data
        })
        const timer = setTimeout(() => child.kill('SIGKILL'), 90_000)
        child.on('close', (code, signal) => {
            clearTimeout(timer)
            resolve({ code, signal, out, ms: performance.now() - start })
        })
    })
}

for (const [name, code, text] of [
    ['nothing open', 0, ''],
    ['closed in order', 0, 'client closed'],
    ['unref', 0, 'unref'],
    ['unref server', 0, 'unref'],
    ['paused and unread', 0, 'paused'],
    ['process.exit', 7, 'up'],
    ['uncaught', 1, 'thrown on purpose'],
    ['rejected', 1, 'rejected on purpose'],
    ['stop', 0, 'stopped'],
    ['stop in flight', 0, 'stopped\nclose\nclose\nclose\n'],
    ['stop beside a worker', 0, 'worker: 0'],
    ['worker ends', 0, 'worker: 0'],
    ['worker exits', 0, 'worker: 3'],
    ['worker throws', 0, 'worker error: thrown in a worker'],
    ['worker terminated', 0, 'worker: 1'],
    ['workers in turn', 0, 'all 10 workers answered'],
    ['workers beside the main thread', 0, 'main goes on'],
] as const)
    t.test(name, async (t) => {
        const ended = await play(name)
        t.match(ended, { code, signal: null }, 'code and signal', { out: ended.out })
        t.ok(ended.out.includes(text), `says: ${text}`)
    })

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    t.test(signal, async (t) => {
        const ended = await play('wait', signal)
        t.match(ended, { code: null, signal }, 'code and signal', { out: ended.out })
    })

t.test('SIGINT with a listener of the program’s own', async (t) => {
    const ended = await play('wait for SIGINT', 'SIGINT')
    t.match(ended, { code: 5, signal: null }, 'code and signal', { out: ended.out })
})

t.test('SIGINT while the program is busy', async (t) => {
    const ended = await play('busy', 'SIGINT')
    t.match(ended, { code: null, signal: 'SIGINT' }, 'code and signal', { out: ended.out })
    t.ok(ended.ms < 8000, 'at once', { ms: ended.ms })
})
