// SPDX-License-Identifier: Apache-2.0
// memcached on either end, with libmemcached's tools: files there and back, and a load that is verified.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { end, type Result } from '../../tools/net/commands.js'
import { runShimmed } from '../preload/support.js'
import { kill, scratch, serve, start, until } from './support.js'

const wire = start('memcached', 'memccp', 'memccat', 'memcslap', 'memcaslap', 'memcping')
const folder = scratch()
const got = join(folder, 'got')
mkdirSync(got)

/* From a byte to nearly the most that it takes. */
const files = Array.from({ length: 8 }, (_, i) => {
    const file = { key: `file${i}`, data: randomBytes(1 + Math.floor((900_000 * i ** 3) / 7 ** 3)) }
    writeFileSync(join(folder, file.key), file.data)
    return file
})
const keys = files.map(({ key }) => key)
const memcached = (port: string) => ['-u', 'root', '-p', port, '-t', '2']
const options = { timeoutMs: 60_000, cwd: folder }
type Run = (command: string, args: string[], options: { timeoutMs: number; cwd: string }) => Promise<Result>

/* `ask` runs a client of the server at `to`. */
async function load(t: Test, ask: Run, to: string) {
    const server = `--servers=${to}`
    for (const protocol of [[], ['--binary']]) {
        const name = protocol[0] ?? '--text'
        t.match(await ask('memccp', [server, ...protocol, ...keys], options), { status: 0, stderr: '' }, name)
        for (const { key, data } of files) {
            const args = [server, ...protocol, `--file=${join(got, key)}`, key]
            t.match(await ask('memccat', args, options), { status: 0, stderr: '' })
            t.ok(readFileSync(join(got, key)).equals(data), `${data.length} bytes came back`)
        }
    }
    for (const test of ['set', 'get', 'mget']) {
        const args = [server, `--test=${test}`, '--concurrency=4', '--execute-number=2000']
        t.match(await ask('memcslap', args, options), { status: 0, stderr: '' }, test)
    }
    const slap = await ask('memcaslap', ['-s', to, '-T', '2', '-c', '16', '-x', '50000', '-v', '1'], options)
    t.match(slap, { status: 0, stdout: /verify_failed: 0\n/ }, `verified: ${slap.stderr}`)
    t.comment(
        slap.stdout
            .split('\n')
            .filter((line) => /^(cmd_|get_misses|verify|Run)/.test(line))
            .join('; '),
    )
}

t.test('we serve', async (t) => {
    const to = `${wire.our4}:21211`
    const probe = async () => (await wire.run('memcping', [`--servers=${to}`])).status === 0
    const server = await serve(wire, 'memcached', memcached('21211'), probe)
    await load(t, (command, args, options) => wire.run(command, args, options), to)
    await kill(server)
})

t.test('we ask', async (t) => {
    const to = `${wire.peer4}:21212`
    const theirs = wire.spawn('memcached', memcached('21212'), { stdio: 'ignore' })
    t.ok(await until(async () => (await wire.run('memcping', [`--servers=${to}`])).status === 0))
    const ours = { PRONGHORN_PORT: wire.port }
    await load(t, (command, args, options) => runShimmed(command, args, ours, options), to)
    await end(theirs)
})
