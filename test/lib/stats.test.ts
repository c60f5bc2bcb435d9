// SPDX-License-Identifier: Apache-2.0
/*
 * The reader of the statistics segment, against a real writer (a small C program made here from the
 * layers base and stats) and against files that are no segments.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
    copyFileSync,
    existsSync,
    mkdirSync,
    readFileSync,
    symlinkSync,
    truncateSync,
    writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
    Histogram,
    listProcesses,
    readSegment,
    SEGMENT_DIRECTORY,
    SegmentError,
} from '../../lib/stats/index.js'

const root = new URL('../..', import.meta.url).pathname
const folder = t.testdir()
const program = join(folder, 'segment-writer')

execFileSync('sh', [
    '-c',
    `cc -O1 -D_GNU_SOURCE -I${root}native -o ${program} ${root}test/lib/segment-writer.c ` +
        `${root}native/stats/*.c ${root}native/base/*.c -pthread -ldl`,
])

const writers = new Set<ChildProcess>()
t.teardown(() => {
    for (const writer of writers) writer.kill('SIGKILL')
    // What the killed ones left; the next writer's start would do it too.
    if (writers.size > 0) execFileSync(program, ['0'], { input: '' })
})

async function startWriter(what: string) {
    const writer = spawn(program, [what], { stdio: ['pipe', 'pipe', 'inherit'] })
    writers.add(writer)
    await once(writer.stdout!, 'data')
    return writer
}

async function endWriter(writer: ChildProcess, signal?: NodeJS.Signals) {
    const exit = once(writer, 'exit')
    if (signal) writer.kill(signal)
    else writer.stdin!.end()
    await exit
    writers.delete(writer)
}

const pathOf = (pid: number) => join(SEGMENT_DIRECTORY, `pronghorn.${pid}`)

t.test('counters, gauges, histograms and sockets arrive as they were written', async (t) => {
    const writer = await startWriter('5')
    const { process: info, stacks, sockets, fields } = readSegment(writer.pid!)

    t.equal(info.pid, writer.pid)
    t.equal(info.name, 'writer?[31m', 'without control characters')
    t.equal(info.product, '0.0.0 (test)')
    t.ok(info.alive)
    t.ok(Math.abs(Date.now() - info.startedAt.getTime()) < 60_000)

    t.equal(stacks.length, 2)
    t.equal(stacks[0]!.counters.rx_packets, 0)
    t.equal(stacks[1]!.counters.rx_packets, 1234567)
    t.equal(stacks[1]!.counters.rx_bytes, 0x123456789abc)
    t.equal(stacks[1]!.gauges.chunks_free, 99)
    t.equal(fields.stack.find((field) => field.name === 'rx_bytes')?.unit, 'bytes')
    t.equal(fields.stack.find((field) => field.name === 'rx_bytes')?.kind, 'counter')

    const turns = stacks[1]!.histograms.turn_ns!
    t.type(turns, Histogram)
    t.equal(turns.count, 1000)
    t.equal(turns.max, 1_000_000)
    t.equal(turns.mean, 500_500)
    for (const share of [0.5, 0.9, 0.99, 1])
        t.ok(Math.abs(turns.quantile(share) / (share * 1_000_000) - 1) < 0.04, `quantile ${share}`)
    t.equal(
        turns.buckets.reduce((sum, bucket) => sum + bucket.count, 0),
        1000,
    )
    t.equal(stacks[0]!.histograms.turn_ns!.quantile(0.5), 0)

    t.same(
        sockets.map((socket) => socket.id),
        [1, 3, 5],
        'free rows are left out',
    )
    t.match(sockets[0], {
        family: 'ipv4',
        type: 'tcp',
        state: 'listening',
        stack: 1,
        fd: 3,
        local_address: '10.1.2.3',
        peer_address: '192.0.2.255',
        local_port: 443,
        peer_port: 0,
        rtt_us: 4_000_000_000,
        tx_bytes: 2 ** 40,
    })
    t.match(sockets[1], {
        family: 'ipv6',
        state: 'established',
        fd: -1,
        local_address: '2001:db8::7:0:0:1',
        peer_address: '::1',
    })
    t.same(readSegment(writer.pid!, { sockets: false }).sockets, [])

    await endWriter(writer)
    t.notOk(existsSync(pathOf(writer.pid!)), 'gone with its process')
    t.throws(() => readSegment(writer.pid!), { code: 'ENOENT' })
})

t.test('processes are listed newest first, killed ones only on request', async (t) => {
    const first = await startWriter('0')
    const second = await startWriter('0')
    const ours = new Set([first.pid, second.pid])
    const list = (all = false) =>
        listProcesses({ all })
            .filter((info) => ours.has(info.pid))
            .map((info) => [info.pid, info.alive])

    t.same(list(), [
        [second.pid, true],
        [first.pid, true],
    ])
    await endWriter(first, 'SIGKILL')
    t.same(list(), [[second.pid, true]])
    t.same(list(true), [
        [second.pid, true],
        [first.pid, false],
    ])
    t.notOk(readSegment(first.pid!).process.alive, 'and can still be read')

    const third = await startWriter('0')
    t.notOk(readSegment(first.pid!).process.alive, 'also after the next start')
    await endWriter(second)
    await endWriter(third)
})

t.test('rows are whole while they are written, and readable after a kill', async (t) => {
    const writer = await startWriter('busy')
    let last = 0
    let torn = 0
    let backwards = 0
    const until = Date.now() + 500
    let reads = 0
    while (Date.now() < until) {
        const { stacks, sockets } = readSegment(writer.pid!)
        const [socket] = sockets
        reads++
        if (!socket) continue
        if (socket.rx_packets !== socket.tx_packets || socket.rtt_us !== socket.id) torn++
        if (stacks[0]!.counters.turns! < last) backwards++
        last = stacks[0]!.counters.turns!
    }
    t.ok(reads > 10, `${reads} reads`)
    t.ok(last > 0)
    t.equal(torn, 0)
    t.equal(backwards, 0)
    await endWriter(writer, 'SIGKILL')
    t.ok(readSegment(writer.pid!).stacks[0]!.counters.turns! >= last)
    execFileSync(program, ['0'], { input: '' })
    t.ok(readSegment(writer.pid!).stacks[0]!.counters.turns! >= last, 'also after another has started')
})

t.test('100,000 sockets in a moment', async (t) => {
    const writer = await startWriter('100000')
    readSegment(writer.pid!)
    const start = performance.now()
    const { sockets } = readSegment(writer.pid!)
    const took = performance.now() - start
    t.equal(sockets.length, 100_000)
    t.equal(sockets[99_999]!.id, 100_000)
    t.comment(`${took.toFixed(0)} ms`) // told, not judged: it depends on who else computes
    await endWriter(writer)
})

t.test('files that are no segment give an error that says why', async (t) => {
    const writer = await startWriter('3')
    const directory = join(folder, 'shm')
    mkdirSync(directory)
    const good = join(directory, 'pronghorn.1')
    copyFileSync(pathOf(writer.pid!), good)
    await endWriter(writer)
    const path = join(directory, 'pronghorn.2')
    const rejects = (reason: RegExp, name: string) => {
        t.throws(() => readSegment(2, { directory }), { message: reason, path }, name)
        t.throws(() => readSegment(2, { directory }), SegmentError)
    }
    t.equal(readSegment(1, { directory }).sockets.length, 2, 'the copy is good')

    writeFileSync(path, '')
    rejects(/not a statistics segment/, 'empty')
    writeFileSync(path, Buffer.alloc(100_000))
    rejects(/not a statistics segment/, 'zeros: half written')
    writeFileSync(path, 'x'.repeat(5000))
    rejects(/not a statistics segment/, 'foreign')

    const bytes = readFileSync(good)
    const changed = (at: number, value: number) => {
        const copy = Buffer.from(bytes)
        copy.writeUInt32LE(value >>> 0, at)
        writeFileSync(path, copy)
    }
    changed(8, 2)
    rejects(/version 2, this reader knows 1/, 'of another version')
    for (const [at, name] of [
        [12, 'header bytes'],
        [16, 'total bytes'],
        [28, 'stacks'],
        [144, 'directory offset'],
        [148, 'directory entries'],
        [152, 'entry bytes'],
        [156, 'stack bytes'],
        [160, 'stack offset'],
        [192, 'facts offset'],
        [168, 'socket offset'],
        [176, 'socket bytes'],
        [180, 'sockets'],
    ] as const) {
        changed(at, 0xffffffff)
        rejects(/is damaged/, name)
    }
    changed(bytes.readUInt32LE(144) + 52, 0xfffffff0)
    rejects(/is damaged \(field rx_packets\)/, 'a field outside its block')
    copyFileSync(good, path)
    truncateSync(path, 30_000)
    rejects(/is damaged/, 'cut')

    symlinkSync(good, join(directory, 'pronghorn.3'))
    t.throws(() => readSegment(3, { directory }), { code: 'ELOOP' }, 'a link is not followed')
    mkdirSync(join(directory, 'pronghorn.4'))
    t.throws(() => readSegment(4, { directory }), /is not a file/)
    execFileSync('mkfifo', [join(directory, 'pronghorn.5')])
    t.throws(() => readSegment(5, { directory }), /is not a file/)
    t.throws(() => readSegment(6, { directory }), { code: 'ENOENT' })
    t.same(
        listProcesses({ directory, all: true }).map((info) => info.path),
        [good],
        'the list leaves them out',
    )
})

/* Whatever the bytes are: an answer or a SegmentError, no hang, no other exception. */
t.test('random damage, seeded', async (t) => {
    const writer = await startWriter('3')
    const bytes = readFileSync(pathOf(writer.pid!)).subarray(0, 1 << 20)
    await endWriter(writer)
    bytes.writeBigUInt64LE(BigInt(bytes.length), 16)
    bytes.writeUInt32LE(1000, 180)
    bytes.writeBigUInt64LE(BigInt(bytes.length - bytes.readUInt32LE(216) * bytes.readUInt32LE(220)), 208)
    const directory = join(folder, 'damage')
    mkdirSync(directory)
    let seed = 12345
    const random = (below: number) => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
        return Math.floor((seed / 2 ** 32) * below)
    }
    let good = 0
    for (let round = 0; round < 300; round++) {
        const copy = Buffer.from(bytes)
        for (let i = random(8); i >= 0; i--) copy.writeUInt8(random(256), random(random(2) ? 192 : 24_000))
        writeFileSync(join(directory, 'pronghorn.9'), copy)
        try {
            readSegment(9, { directory })
            good++
        } catch (error) {
            if (!(error instanceof SegmentError)) throw error
        }
    }
    t.ok(good > 10 && good < 290, `${good} of 300 could still be read`)
})
