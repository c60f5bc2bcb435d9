// SPDX-License-Identifier: Apache-2.0
/* The flight recorder of a process: while it works, while it hangs, after it was killed; and the files
 * that the process writes by itself. */
import { spawn } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readFlight } from '../../lib/stats/index.js'
import { checksumsHold, readCapture } from './pcapng.js'
import { eventually, json, pronghorn, Target } from './support.js'

interface Line {
    kind: string
    stack: number
    timeNs: string
    text?: string
    event?: string
    state?: string
    stateBefore?: string
    peerPort?: number
    retries?: number
}

const folder = t.testdir({})
const target = await Target.start({
    PRONGHORN_FLIGHT_DIRECTORY: folder,
    PRONGHORN_FLIGHT_SIGNAL: 'WINCH',
})
t.teardown(() => target.end('SIGKILL'))
const { pid, hello } = target
const of = ['--pid', `${pid}`]

const dumps = () => readdirSync(folder).filter((name) => name.startsWith(`pronghorn-${pid}-`))
/** The one that was not there before. */
async function newDump(before: string[]): Promise<string> {
    const found = await eventually(
        () => dumps().filter((name) => !before.includes(name)),
        (names) => names.length > 0,
    )
    return join(folder, found[0]!)
}
const messages = (file: string) => readCapture(readFileSync(file)).journal.map(({ message }) => message)

t.test('packets and the lives of connections', async (t) => {
    await target.tell('open 2')
    await target.tell('echo 20000')
    const { process: about, records } = await json('flight', ...of)
    t.equal(about.pid, pid)
    const events = (records as Line[]).filter(({ kind }) => kind === 'event')
    const packets = (records as Line[]).filter(({ kind }) => kind === 'packet')
    t.ok(packets.length > 20)
    const lives = events.filter(({ event, peerPort }) => event === 'state' && peerPort === hello.port)
    t.match(
        lives.slice(-2).map(({ stateBefore, state }) => `${stateBefore} > ${state}`),
        ['closed > syn-sent', 'syn-sent > established'],
    )
    t.ok(
        packets.some(({ text }) => text?.includes(`> 10.87.0.2:${hello.port} [S]`)),
        'the SYN',
    )
    t.ok(
        (records as Line[]).every(
            ({ timeNs }, i) => i === 0 || BigInt(timeNs) >= BigInt(records[i - 1].timeNs),
        ),
        'in order',
    )
    const ago = Date.now() - Number(BigInt((records as Line[]).at(-1)!.timeNs) / 1_000_000n)
    t.ok(ago > -1000 && ago < 60_000, `the last one was ${ago} ms ago`)
})

t.test('as text, and the last ones only', async (t) => {
    const all = await pronghorn('flight', ...of)
    t.equal(all.code, 0, all.err)
    t.match(all.out, /event stack \d 10\.87\.0\.1:\d+ > 10\.87\.0\.2:\d+ syn-sent -> established seq/)
    t.match(all.out, / out {3}stack 0 10\.87\.0\.1:\d+ > 10\.87\.0\.2:\d+ \[S\] seq/)
    const few = await pronghorn('flight', '--events', '-c', '3', ...of)
    t.equal(few.out.trim().split('\n').length, 4)
    t.equal((await json('flight', '--last', '1us', ...of)).records.length < 30, true)
    t.match((await pronghorn('flight', '--list')).out, new RegExp(`${pid} .*running`))
    t.ok((await json('flight', '--list')).flights.some((flight: { pid: number }) => flight.pid === pid))
})

t.test('as pcapng', async (t) => {
    const file = join(folder, 'mine.pcapng')
    const { code, err } = await pronghorn('flight', '-w', file, ...of)
    t.equal(code, 0, err)
    const { interfaces, packets, journal } = readCapture(readFileSync(file))
    t.equal(interfaces.length, 2)
    t.ok(packets.length > 20 && journal.length > 4)
    t.ok(packets.every(({ bytes }) => bytes.length <= 104))
    const whole = packets.filter(({ bytes, length }) => bytes.length === length)
    t.ok(whole.length > 5 && whole.every(checksumsHold), 'the checksums of those that fit hold')
    t.ok(
        journal.some(({ message }) => / syn-sent -> established /.test(message)),
        'events are between them',
    )
})

t.test('a signal makes the process write it', async (t) => {
    const before = dumps()
    target.signal('SIGWINCH')
    const file = await newDump(before)
    const { packets, interfaces } = await eventually(
        () => readCapture(readFileSync(file)),
        (capture) => capture.packets.length > 20,
    )
    t.equal(interfaces.length, 2)
    t.ok(packets.every(({ bytes }) => bytes.length <= 104))
    t.match((await pronghorn('log', ...of)).out, /flight recorder \(signal\): .*\.pcapng/)
})

t.test('triggers do', async (t) => {
    for (const [trigger, provoke, expected] of [
        [
            'retransmission',
            async () => {
                await pronghorn('inject', '--loss', '5%', '--direction', 'out', '--seed', '5', ...of)
                await target.tell('echo 100000 3')
                await pronghorn('inject', '--off', ...of)
            },
            / retransmit \(established\) /,
        ],
        ['reset', () => target.tell('refused'), / reset-out \(/],
        ['latency', () => target.tell('late 30'), / established /],
    ] as const) {
        const before = dumps()
        t.equal((await pronghorn('set', 'flight.latency_us', '20000', ...of)).code, 0)
        const set = await pronghorn('set', 'flight.trigger', trigger, ...of)
        t.equal(set.code, 0, set.err)
        await provoke()
        const file = await newDump(before)
        const text = await eventually(
            () => messages(file),
            (lines) => lines.length > 0,
        )
        t.match(text.join('\n'), expected, trigger)
        t.equal((await pronghorn('set', 'flight.trigger', 'none', ...of)).code, 0)
    }
    t.match((await pronghorn('set', 'flight.trigger', 'never', ...of)).err, /retransmission/)
})

t.test('it can be switched off, and on', async (t) => {
    const last = async () => readFlight(pid).records.at(-1)!.timeNs
    await pronghorn('set', 'flight.record', 'off', ...of)
    const before = await last()
    await target.tell('echo 5000')
    t.equal(await last(), before)
    await pronghorn('set', 'flight.record', 'events', ...of)
    await target.tell('open 1')
    const { records } = readFlight(pid)
    t.ok(records.at(-1)!.timeNs > before)
    t.ok(records.filter(({ timeNs }) => timeNs > before).every(({ kind }) => kind === 'event'))
    await pronghorn('set', 'flight.record', 'packets', ...of)
    await target.tell('echo 5000')
    t.equal(readFlight(pid).records.at(-1)!.kind, 'packet')
})

t.test('a process that hangs', async (t) => {
    target.signal('SIGSTOP')
    t.teardown(() => target.signal('SIGCONT'))
    t.ok((await json('flight', ...of)).records.length > 50)
})

t.test('damaged, foreign and malicious files', async (t) => {
    const directory = t.testdir({})
    const path = join(directory, 'pronghorn.77.flight')
    const read = () => readFlight(77, { directory })
    copyFileSync(`/dev/shm/pronghorn.${pid}.flight`, path)
    const good = readFileSync(path)
    t.equal(read().process.alive, true)
    const broken = (name: string, change: (bytes: Buffer) => void, expected: RegExp) => {
        const bytes = Buffer.from(good)
        change(bytes)
        writeFileSync(path, bytes)
        t.throws(read, expected, name)
    }
    broken('foreign', (bytes) => bytes.write('ELF'), /is no flight recorder/)
    broken('newer', (bytes) => bytes.writeUInt32LE(9, 8), /version 9/)
    for (const [at, value] of [
        [28, 0xffffffff],
        [28, 4000],
        [144, 0],
        [164, 0],
        [164, 3],
        [164, 1 << 30],
        [168, 8],
        [168, 0x7fffffff],
        [160, 0],
    ] as const)
        broken(`${value} at ${at}`, (bytes) => bytes.writeUInt32LE(value >>> 0, at), /damaged/)
    writeFileSync(path, good)
    truncateSync(path, 5000)
    t.throws(read, /damaged/)
    // What the records themselves say must not lead anywhere.
    const random = Buffer.from(good)
    for (let at = 4096 + 4096; at < 4096 + 4096 + (256 << 10); at++) random[at] = (at * 7919) & 255
    writeFileSync(path, random)
    t.ok(read().records.length >= 0)
    broken('a head beyond counting', (bytes) => bytes.writeBigUInt64LE(2n ** 63n, 4096), /damaged/)
    unlinkSync(path)
    t.equal((await pronghorn('flight', '--pid', '77')).code, 3)
})

t.test('it is read while its writer is killed, and after', async (t) => {
    const victim = await Target.start()
    await victim.tell('echo 10000')
    const readers = [1, 2, 3].map(
        () =>
            new Promise<void>((resolve) => {
                const code = `import { readFlight } from './lib/stats/index.js'
                    for (let i = 0; i < 200; i++) readFlight(${victim.pid})`
                const args = ['--import', 'tsx', '--input-type=module', '-e', code]
                const child = spawn(process.execPath, args, { stdio: 'inherit' })
                child.on('exit', (code) => {
                    t.equal(code, 0)
                    resolve()
                })
            }),
    )
    await victim.tell('echo 100000 20')
    await victim.end('SIGKILL')
    await Promise.all(readers)
    const { process: about, records } = await json('flight', '--pid', `${victim.pid}`)
    t.equal(about.alive, false)
    t.ok(records.length > 100)
    t.match((await pronghorn('flight', '--list')).out, new RegExp(`${victim.pid} .*dead`))
    unlinkSync(`/dev/shm/pronghorn.${victim.pid}.flight`)
})
