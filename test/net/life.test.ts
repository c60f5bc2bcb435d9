// SPDX-License-Identifier: Apache-2.0
// The life of a process: started again and again, ended in every way, killed; nothing is left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import { must } from '../../tools/net/commands.js'
import { makeWire, type Wire, whyNoWires } from '../../tools/net/wire.js'
import { runNode } from './support/stack.js'

const ROUNDS = 8
/* Large datagrams over the loopback, without a pause. */
const FLOOD = `
    const socket = require('node:dgram').createSocket('udp4')
    const bytes = Buffer.alloc(60000)
    const next = () => socket.send(bytes, 9, '127.0.0.1', () => setImmediate(next))
    next()
    console.log('begun')
`
const root = new URL('../..', import.meta.url).pathname
const skip = whyNoWires()

const wirePort = 'wire,id=0,address=10.87.0.1/24,stacks=0;wire,id=0,address=10.87.0.2/24,stacks=1'
const embedded = { PRONGHORN_PORT: wirePort, PRONGHORN_STACK_COUNT: '2', PRONGHORN_MEMORY_HUGEPAGES: 'off' }

/* Serves, connects to itself over the wire, and then `last` says how it ends. */
const program = (last: string) => `
    import { once } from 'node:events'
    import { runtime } from 'pronghorn'
    import { connect, createServer } from 'pronghorn/net'
    const server = createServer((socket) => socket.pipe(socket)).listen(7, '10.87.0.1')
    await once(server, 'listening')
    const client = connect({ host: '10.87.0.1', port: 7, localAddress: '10.87.0.2' })
    client.write('hello')
    const [data] = await once(client, 'data')
    console.log(String(data), process.pid)
    ${last}
`
const segmentOf = (stdout: string) => `/dev/shm/pronghorn.${stdout.trim().split(' ')[1]}`

for (const [name, last, expected] of [
    ['a natural end', 'client.destroy(); server.close()', { status: 0 }],
    ['runtime.stop()', 'runtime.stop(); client.destroy(); server.close(); runtime.stop()', { status: 0 }],
    ['process.exit() with open connections', 'process.exit(3)', { status: 3 }],
    ['an uncaught error', "throw new Error('on purpose')", { status: 1 }],
    ['SIGINT', "process.kill(process.pid, 'SIGINT'); setInterval(() => {}, 1000)", { signal: 'SIGINT' }],
    ['SIGTERM', "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)", { signal: 'SIGTERM' }],
] as const) {
    t.test(`ends by ${name}`, async (t) => {
        const result = runNode(program(last), embedded)
        t.match(result.stdout, /^hello \d+/, 'it worked')
        t.match(result, expected)
        t.notMatch(result.stderr, /Segmentation|Assertion|core dumped/)
        t.notOk(existsSync(segmentOf(result.stdout)), 'its statistics are gone')
    })
}

t.test('kill -9, and start again', async (t) => {
    const killed = runNode(program("process.kill(process.pid, 'SIGKILL')"), embedded)
    t.match(killed, { signal: 'SIGKILL' })
    t.ok(existsSync(segmentOf(killed.stdout)), 'its statistics stay')
    const again = runNode(program('process.exit(0)'), embedded)
    t.match(again, { status: 0 })
    t.ok(existsSync(segmentOf(killed.stdout)), 'also when it is started again at once')
})

t.test('workers come and go', async (t) => {
    const result = runNode(
        `
        import { once } from 'node:events'
        import { Worker } from 'node:worker_threads'
        import { createServer } from 'pronghorn/net'
        const server = createServer((socket) => socket.pipe(socket)).listen(7, '10.87.0.1')
        await once(server, 'listening')
        const code = \`
            const { connect } = require('./dist/net.cjs')
            const client = connect({ host: '10.87.0.1', port: 7, localAddress: '10.87.0.2' })
            client.write('from a worker')
            client.on('data', (data) => { require('node:worker_threads').parentPort.postMessage(String(data)) })
        \`
        let same = 0
        for (let i = 0; i < 5; i++) {
            const worker = new Worker(code, { eval: true, execArgv: [] })
            const [text] = await once(worker, 'message')
            if (text === 'from a worker') same++
            await worker.terminate()
        }
        console.log(same)
        process.exit(0)
        `,
        embedded,
    )
    t.match(result, { status: 0, stdout: '5\n' }, result.stderr)
})

t.test('started and stopped over and over', async (t) => {
    let good = 0
    for (let i = 0; i < ROUNDS; i++) {
        const { status, stdout } = runNode(program('process.exit(0)'), embedded)
        if (status === 0 && stdout.startsWith('hello') && !existsSync(segmentOf(stdout))) good++
    }
    t.equal(good, ROUNDS, 'and nothing piles up in shared memory')
})

async function startServer(wire: Wire): Promise<ChildProcess> {
    const command = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', 'examples/http-server.ts']
    const child = spawn('env', command, {
        cwd: root,
        env: { ...process.env, PRONGHORN_PORT: wire.port },
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return child
}

t.test('a server on a wire, killed and started again', { skip }, async (t) => {
    const wire = makeWire()
    t.teardown(() => wire.close())
    const start = () => startServer(wire)
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        const child = await start()
        const { stdout } = await wire.run('curl', ['-sS', '-m', '10', `http://${wire.our4}/`])
        t.match(stdout, /^Hello ::ffff:10\.86/, 'it answers')
        const gone = once(child, 'exit')
        child.kill(signal)
        await gone
    }
    const last = await start()
    const { stdout } = await wire.run('curl', ['-sS', '-g', '-m', '10', `http://[${wire.our6}]/`])
    t.match(stdout, /^Hello fd86/, 'also after both')
    const maps = readFileSync(`/proc/${last.pid}/maps`, 'utf8')
    t.match(maps, 'libpronghorn.so')
    last.kill('SIGTERM')
    await once(last, 'exit')
})

t.test('a port that is being opened takes nothing from other interfaces', { skip }, async (t) => {
    const wire = makeWire()
    const flood = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', FLOOD], { stdio: 'pipe' })
    t.teardown(async () => {
        flood.kill('SIGKILL')
        wire.close()
    })
    await once(flood.stdout, 'data')
    for (let i = 0; i < 5; i++) {
        const code = "import { runtime } from 'pronghorn'; runtime.start(); setTimeout(process.exit, 50)"
        const result = runNode(code, { PRONGHORN_PORT: wire.port })
        t.match(result, { status: 0, stderr: '' }, 'none of the large frames of the loopback')
    }
})

t.test('an idle stack sleeps, also after its interface went down', { skip }, async (t) => {
    const wire = makeWire()
    const child = await startServer(wire)
    t.teardown(async () => {
        child.kill('SIGTERM')
        await once(child, 'exit')
        wire.close()
    })
    const turns = () => Number(readSegment(child.pid as number).stacks[0]?.counters.turns)
    const turnsPerSecond = async () => {
        await sleep(500) // until the last packets are through
        const before = turns()
        await sleep(1000)
        return turns() - before
    }
    // One that never slept would make a hundred times as many.
    const FEW = 5000
    t.ok((await turnsPerSecond()) < FEW, 'up')
    must('ip', 'link', 'set', wire.device, 'down')
    t.ok((await turnsPerSecond()) < FEW, 'down')
    must('ip', 'link', 'set', wire.device, 'up')
    t.ok((await turnsPerSecond()) < FEW, 'up again')
})
