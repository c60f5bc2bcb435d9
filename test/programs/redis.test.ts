// SPDX-License-Identifier: Apache-2.0
// redis-server on our stack: clients, pipelines, AOF, I/O threads, a replica on the kernel's side, kill -9.
import t from 'tap'
import { kill, scratch, serve, start } from './support.js'

const wire = start('redis-server', 'redis-benchmark', 'redis-cli')
const folder = scratch()
const basic = ['--port', '7379', '--save', '', '--protected-mode', 'no', '--dir', folder]

const cli = async (...args: string[]) =>
    (
        await wire.run('redis-cli', ['-h', wire.our4, '-p', '7379', ...args], { timeoutMs: 20_000 })
    ).stdout.trim()
const answers = async () => (await cli('ping')) === 'PONG'
const benchmark = (...args: string[]) =>
    wire.run('redis-benchmark', ['-h', wire.our4, '-p', '7379', '-q', '-t', 'set,get', ...args], {
        timeoutMs: 60_000,
    })

for (const [name, args] of [
    ['alone', []],
    ['with AOF', ['--appendonly', 'yes']],
    ['with I/O threads', ['--io-threads', '3', '--io-threads-do-reads', 'yes']],
] as [string, string[]][]) {
    t.test(name, async (t) => {
        const server = await serve(wire, 'redis-server', [...basic, ...args], answers)
        const value = 'x'.repeat(50_000)
        t.equal(await cli('set', 'key', value), 'OK')
        t.equal(await cli('get', 'key'), value)
        t.match(await benchmark('-n', '20000', '-c', '50'), { status: 0, stdout: /GET: [\d.]+ requests/ })
        t.match(await benchmark('-n', '50000', '-c', '20', '-P', '16'), { status: 0, stdout: /GET: / })
        t.equal(await cli('get', 'key'), value)
        t.equal(await server.stop(), 0, server.said())
    })
}

t.test('a replica on the kernel, kill -9 of either, and again', async (t) => {
    let server = await serve(wire, 'redis-server', basic, answers)
    await cli('set', 'before', '1')
    const replica = () =>
        wire.spawn('redis-server', [...basic, '--port', '7380', '--replicaof', wire.our4, '7379'], {
            stdio: 'ignore',
        })
    const there = async (key: string) =>
        (await wire.run('redis-cli', ['-h', wire.peer4, '-p', '7380', 'get', key])).stdout.trim()
    const until = async (key: string, value: string) => {
        for (const began = performance.now(); performance.now() - began < 30_000; ) {
            if ((await there(key)) === value) return true
        }
        return false
    }
    let second = replica()
    t.ok(await until('before', '1'), 'what there was')
    await cli('set', 'later', '2')
    t.ok(await until('later', '2'), 'what came')
    second.kill('SIGKILL')
    second = replica()
    t.ok(await until('later', '2'), 'the replica was killed and came again')
    await kill(server)
    server = await serve(wire, 'redis-server', basic, answers)
    await cli('set', 'again', '3')
    t.ok(await until('again', '3'), 'the server was killed and came again')
    second.kill('SIGKILL')
    t.equal(await server.stop(), 0, server.said())
})
