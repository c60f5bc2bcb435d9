// SPDX-License-Identifier: Apache-2.0
/* Each trace point, provoked in a live process: noted when it is on, and not when it is off. */
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { readSegment, readTrace, tracePoints } from '../../lib/stats/index.js'
import { eventually, json, pronghorn, Target, tool } from './support.js'

interface Note {
    stack: number
    timeNs: string
    point: string
    socket: number
    localPort: number
    peerPort: number
    values: Record<string, number | string>
}

const target = await Target.start()
t.teardown(() => target.end('SIGKILL'))
const { pid, hello } = target
const of = ['--pid', `${pid}`]
const set = async (key: string, value: string) => {
    const { code, err } = await pronghorn('set', key, value, ...of)
    if (code !== 0) throw new Error(err)
}
const notes = async (...points: string[]): Promise<Note[]> => (await json('trace', ...points, ...of)).records

async function lossy(run: () => Promise<void>): Promise<void> {
    await pronghorn('inject', '--loss', '10%', '--direction', 'out', '--seed', '5', ...of)
    await run()
    await pronghorn('inject', '--off', ...of)
}

const timeouts = () =>
    readSegment(pid, { sockets: false }).stacks.reduce((sum, { counters }) => sum + counters.tcp_rto!, 0)

/** What makes each point happen, and what the notes must say then. */
const provoked: Record<string, { run: () => Promise<void>; holds: (note: Note) => boolean }> = {
    state: {
        run: () => target.tell('open 1'),
        holds: ({ values, peerPort }) =>
            peerPort === hello.port && values.before === 'syn-sent' && values.after === 'established',
    },
    retransmit: {
        run: () => lossy(() => target.tell('echo 200000 5')),
        holds: ({ socket, localPort, peerPort, values }) =>
            socket > 0 && (localPort === hello.port || peerPort === hello.port) && Number(values.acked) > 0,
    },
    rto: {
        run: async () => {
            const before = timeouts()
            await pronghorn('inject', '--loss', '100%', ...of)
            const done = target.tell('echo 1000')
            await eventually(timeouts, (count) => count > before)
            await pronghorn('inject', '--off', ...of)
            await done
        },
        holds: ({ values, socket }) => socket > 0 && Number(values.rto_us) >= 1000,
    },
    accept: {
        run: () => target.tell('open 1'),
        holds: ({ localPort, values }) => localPort === hello.port && Number(values.queued) >= 1,
    },
    drop: {
        run: () => target.tell('datagrams 3'),
        holds: ({ values }) => values.reason === 'drop_rx_no_socket' && Number(values.packets) >= 1,
    },
    'slow-turn': {
        run: () => target.tell('echo 200000 5'),
        holds: ({ values }) => Number(values.turn_ns) > 1000,
    },
    sleep: {
        run: () => target.tell('paced 3 5'),
        holds: ({ values }) => Number(values.planned_us) >= 0,
    },
    wake: {
        run: () => target.tell('paced 3 5'),
        holds: ({ values }) => values.by === 'call' && Number(values.slept_us) >= 0,
    },
}

const file = `/dev/shm/pronghorn.${pid}.trace`
const written = () => readTrace(pid).written.reduce((sum, count) => sum + count, 0)

t.test('off, nothing is noted', async (t) => {
    t.same(
        Object.keys(provoked),
        tracePoints.map(({ word }) => word),
        'each point is tried here',
    )
    await set('trace.slow_turn_us', '1')
    for (const { run } of Object.values(provoked)) await run()
    t.notOk(existsSync(file), 'there is not even a file')
    const { code, out } = await pronghorn('trace', ...of)
    t.equal(code, 0)
    t.match(out, /on: none \(pronghorn set trace.points .*\); 0 notes/)
    t.match(await json('trace', ...of), { process: { pid, alive: true }, points: 'none', records: [] })
})

for (const [point, { run, holds }] of Object.entries(provoked)) {
    t.test(point, async (t) => {
        await set('trace.points', point)
        const before = written()
        await run()
        const found = await eventually(
            () => notes(point),
            (list) => list.some(holds),
        )
        t.ok(found.some(holds), `a note of it: ${JSON.stringify(found.slice(-3))}`)
        t.ok(written() > before)
        await set('trace.points', 'none')
        const { written: after } = readTrace(pid)
        const others = readTrace(pid, { after }).records
        t.same(others, [], 'it has ended')
        await run()
        t.same(readTrace(pid).written, after, 'and nothing is noted any more')
    })
}

t.test('a slow turn is slower than was asked for', async (t) => {
    await set('trace.slow_turn_us', '60000000')
    await set('trace.points', 'slow-turn')
    const before = written()
    await target.tell('echo 200000 5')
    t.equal(written(), before)
    await set('trace.points', 'none')
    await set('trace.slow_turn_us', '1000')
})

t.test('as text, in order, the last ones, of some points', async (t) => {
    await set('trace.points', 'state,accept')
    await target.tell('open 2')
    const text = await pronghorn('trace', ...of)
    t.equal(text.code, 0, text.err)
    t.match(text.out, /\non: state,accept; \d+ notes/)
    t.match(
        text.out,
        new RegExp(
            `stack \\d state +(socket \\d+ )?port \\d+ peer ${hello.port} before syn-sent after established`,
        ),
    )
    t.match(text.out, new RegExp(`stack \\d accept +port ${hello.port} peer \\d+ queued \\d+ backlog \\d+`))
    const all = await notes()
    t.ok(all.every(({ timeNs }, i) => i === 0 || BigInt(timeNs) >= BigInt(all[i - 1]!.timeNs)))
    const ago = Date.now() - Number(BigInt(all.at(-1)!.timeNs) / 1_000_000n)
    t.ok(ago > -1000 && ago < 60_000, `the last one was ${ago} ms ago`)
    t.ok((await notes('accept')).every((note) => note.point === 'accept'))
    t.equal((await json('trace', 'accept,state', '-c', '2', ...of)).records.length, 2)
})

t.test('as they come', async (t) => {
    await set('trace.points', 'accept')
    const child = spawn(process.execPath, [tool, 'trace', 'accept', '--watch', '0.05', '--json', ...of], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_OPTIONS: '' },
    })
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const next = async (): Promise<Note> => JSON.parse((await lines.next()).value!)
    let last = await next()
    const old = last.timeNs
    await target.tell('open 1')
    while (BigInt(last.timeNs) <= BigInt(old) || last.localPort !== hello.port) last = await next()
    await target.tell('open 1')
    const newer = await next()
    t.equal(newer.point, 'accept')
    t.ok(BigInt(newer.timeNs) >= BigInt(last.timeNs))
    child.kill()
})

t.test('wrong words', async (t) => {
    const bad = await pronghorn('set', 'trace.points', 'state,never', ...of)
    t.not(bad.code, 0)
    t.match(bad.err, /state,retransmit,rto,accept,drop,slow-turn,sleep,wake/)
    const unknown = await pronghorn('trace', 'never', ...of)
    t.equal(unknown.code, 2)
    t.match(unknown.err, /"never" is no trace point/)
    await set('trace.points', 'all')
    const settings = (await json('show', 'settings', ...of)).settings as { key: string; value: string }[]
    t.equal(
        settings.find(({ key }) => key === 'trace.points')?.value,
        tracePoints.map(({ word }) => word).join(','),
    )
    await set('trace.points', 'none')
})

t.test('a process that hangs', async (t) => {
    target.signal('SIGSTOP')
    t.teardown(() => target.signal('SIGCONT'))
    t.ok((await notes()).length > 5)
})

t.test('damaged files', async (t) => {
    const directory = t.testdir({})
    const path = join(directory, 'pronghorn.77.trace')
    copyFileSync(file, path)
    const good = readFileSync(path)
    t.ok(readTrace(77, { directory }).records.length > 5)
    for (const [at, value] of [
        [0, 0],
        [8, 9],
        [28, 0xffffffff],
        [164, 3],
        [168, 32],
    ] as const) {
        const bytes = Buffer.from(good)
        bytes.writeUInt32LE(value, at)
        writeFileSync(path, bytes)
        t.throws(() => readTrace(77, { directory }), `${value} at ${at}`)
    }
    // Whatever the notes say leads nowhere.
    const random = Buffer.from(good)
    const end = 4096 + Number(good.readBigUInt64LE(152))
    for (let at = 8192; at < end; at++) random[at] = (at * 7919) & 255
    writeFileSync(path, random)
    t.doesNotThrow(() => readTrace(77, { directory }))
})

t.test('on from the start', async (t) => {
    const other = await Target.start({ PRONGHORN_TRACE_POINTS: 'state' })
    t.teardown(() => other.end('SIGKILL'))
    const { records } = await json('trace', '--pid', `${other.pid}`)
    t.ok((records as Note[]).some(({ values }) => values.after === 'established'))
    await other.end()
    t.notOk(existsSync(`/dev/shm/pronghorn.${other.pid}.trace`), 'it goes with its process')
})
