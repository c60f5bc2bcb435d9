// SPDX-License-Identifier: Apache-2.0
// npm start: the main job itself, in each of its ways, and that it leaves nothing behind.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import t from 'tap'
import { whyNoWires } from '../../tools/net/wire.js'

const root = new URL('../..', import.meta.url).pathname
const skip = whyNoWires()
// (tap's own loader stays out of it: see support/stack.ts.)
const start = ['-u', 'NODE_OPTIONS', process.execPath, 'tools/start.mjs']

const namespacesOf = (pid: number) =>
    existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.includes(`${pid}.`)) : []

for (const [name, more] of [
    ['with the kernel', []],
    ['with itself', ['--embedded']],
] as const) {
    t.test(name, { skip: name === 'with the kernel' ? skip : undefined }, async (t) => {
        const { status, stdout, stderr } = spawnSync('env', [...start, ...more], {
            cwd: root,
            encoding: 'utf8',
            timeout: 180_000,
        })
        t.equal(status, 0, 'it exits 0', { stdout, stderr })
        t.match(stdout, /All went well/)
        t.notMatch(stdout, /FAILED/)
        t.match(stdout, /100\.0 MiB in .* checksum equal/, 'the download was compared')
        t.match(stdout, /rx_packets [\d,]{4,}/, 'counters were printed')
    })
}

t.test('--serve', { skip }, async (t) => {
    const child = spawn('env', [...start, '--serve'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    let line: string | undefined
    for await (const text of lines) {
        line = text.match(/ip netns exec \S+ curl http:\S+/)?.[0]
        if (line) break
    }
    const [command, ...args] = (line ?? 'false').split(' ')
    const namespace = args[2] as string
    const { stdout } = spawnSync(command as string, [...args, '-sS', '-m', '10'], { encoding: 'utf8' })
    t.match(stdout, /^Hello/, 'the line that it prints works from a second terminal')

    const gone = once(child, 'exit')
    child.kill('SIGINT')
    await gone
    t.notOk(existsSync(`/run/netns/${namespace}`), 'Ctrl-C takes the namespace away')
    t.strictSame(namespacesOf(Number(namespace.match(/\d+/)?.[0])), [])
})
