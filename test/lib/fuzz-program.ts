// SPDX-License-Identifier: Apache-2.0
// Played by fuzz.ts: argv gives what is called (the addon's exports, or the package's posix and rings), the seed and
// how many calls. Each answers with a result or with an error that has a code; afterwards the pools are full again, as
// many kernel descriptors are open as before, and calls after stop() are answered as well.

import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { runtime } from '../../lib/index.js'
import { native, outbox, words } from '../../lib/native.js'
import * as posix from '../../lib/posix.js'
import { type Ring, ring } from '../../lib/ring/index.js'
import { type Any, type Kind, Values } from './fuzz-values.js'
import { startStack } from './stack.js'

const [what = 'addon', seed = '1', count = '20000'] = process.argv.slice(2)
/** Each call is written before it is made: for the one after which nothing came. */
const isTraced = process.env.PRONGHORN_TEST_TRACE !== undefined
const MOST_DESCRIPTORS = 150
const MOST_RINGS = 20
const MOST_TEMPLATES = 50
const SETTLE_MS = 20_000
const CHUNKS_AT_HAND = 32
const SIGIO = 0x2000 // O_ASYNC: a signal that ends the process
const FIOASYNC = 0x5452

process.env.PRONGHORN_TCP_TIME_WAIT_MS = '20'
process.env.PRONGHORN_STACK_DRIVE = 'inline'
startStack()

const values = new Values(Number(seed))
const { fds } = values

interface Call {
    /** What its arguments are for. */
    kinds: Kind[]
    call(...args: Any[]): unknown
    /** Arguments that would block, or end the process rightly, are mended; false: not this time. */
    guard?(args: Any[]): unknown
    /** What to do with the result. */
    keep?(result: Any, args: Any[]): void
}

const number = (value: Any) => (typeof value === 'number' ? value | 0 : 0)

const held =
    (most = MOST_DESCRIPTORS) =>
    () =>
        fds.length < most
function keepDescriptor(fd: Any): void {
    if (typeof fd !== 'number' || fd < 0 || fds.includes(fd)) return
    fds.push(fd)
    native.fcntl(fd, posix.F_SETFL, posix.O_NONBLOCK)
}
const unblocked = (at: number) => (args: Any[]) => {
    args[at] = number(args[at]) | posix.SOCK_NONBLOCK
    return held()()
}
/** Rarely, so that they live a while; and no descriptor but those that were made here. */
function mayClose(args: Any[]): boolean {
    const at = fds.indexOf(args[0])
    if (!values.chance(10)) return false
    if (at >= 0) fds.splice(at, 1)
    return true
}
/** A close() of a lingering socket would wait. */
function doesNotLinger(args: Any[]): boolean {
    return !(number(args[1]) === posix.SOL_SOCKET && number(args[2]) === posix.SO_LINGER)
}
function fcntlGuard(args: Any[]): void {
    if (number(args[1]) === posix.F_SETFL) args[2] = (number(args[2]) & ~SIGIO) | posix.O_NONBLOCK
    if (number(args[1]) === 0 || number(args[1]) === 1030) args[2] = values.below(100) + 100 // F_DUPFD
}
function ioctlGuard(args: Any[]): void {
    if (number(args[1]) === 0x5421) args[2] = 1 // FIONBIO
    if (number(args[1]) === FIOASYNC) args[2] = 0
}
const atOnce = (at: number) => (args: Any[]) => {
    args[at] = 0
}

const BYTES: Kind[] = ['fd', 'memory', 'size', 'size', 'flags']
const OPTION: Kind[] = ['fd', 'level', 'name']
const templates = new Set<number>()
const numbers = new Set<number>() /* of rings */
const of =
    (set: Set<number>) =>
    (args: Any[]): void => {
        if (!values.chance(10)) args[0] = values.pick([...set]) ?? -1
    }
const rarely = (set: Set<number>) => (args: Any[]) => {
    of(set)(args)
    return values.chance(10)
}
const into = (set: Set<number>) => (result: Any) => {
    if (result >= 0) set.add(result)
}
/** Whatever calls work on for good is not detached meanwhile: the package sees to that. */
const stays = (at: number) => (args: Any[]) => ArrayBuffer.isView(args[at]) && args[at].byteLength > 0

const addon: Record<string, Omit<Call, 'call'>> = {
    init: { kinds: ['settings'] },
    state: { kinds: [] },
    error: { kinds: [] },
    version: { kinds: [] },
    setting: { kinds: ['key'] },
    turn: { kinds: [] },
    owns: { kinds: ['fd'] },
    socket: { kinds: ['domain', 'type', 'small'], guard: unblocked(1), keep: keepDescriptor },
    bind: { kinds: ['fd', 'host', 'port'] },
    connect: { kinds: ['fd', 'host', 'port'] },
    listen: { kinds: ['fd', 'small'] },
    accept: { kinds: ['fd', 'flags'], guard: unblocked(1), keep: keepDescriptor },
    shutdown: { kinds: ['fd', 'small'] },
    close: { kinds: ['fd'], guard: mayClose },
    getsockname: { kinds: ['fd'] },
    getpeername: { kinds: ['fd'] },
    getsockopt: { kinds: OPTION },
    place: { kinds: ['fd'] },
    getsockoptBytes: { kinds: [...OPTION, 'memory'] },
    setsockopt: { kinds: [...OPTION, 'number'] },
    setsockoptBytes: { kinds: [...OPTION, 'memory'], guard: doesNotLinger },
    fcntl: {
        kinds: ['fd', 'command', 'number'],
        guard: fcntlGuard,
        keep: (result, args) => [0, 1030].includes(number(args[1])) && keepDescriptor(result),
    },
    ioctl: { kinds: ['fd', 'request', 'number'], guard: ioctlGuard },
    send: { kinds: BYTES },
    sendto: { kinds: [...BYTES, 'host', 'port'] },
    recv: { kinds: BYTES },
    recvfrom: { kinds: BYTES },
    recvDatagrams: { kinds: ['fd', 'memory', 'size', 'ints'] },
    readv: { kinds: ['fd', 'list'] },
    writev: { kinds: ['fd', 'list', 'flags'] },
    recvSlab: { kinds: ['fd', 'size'] },
    sendOutbox: { kinds: ['fd', 'size', 'flags'] },
    shareWords: { kinds: ['words'], guard: stays(0) },
    shareSlab: { kinds: ['memory'], guard: stays(0) },
    shareOutbox: { kinds: ['memory'], guard: stays(0) },
    epollCreate: { kinds: ['small'], guard: held(), keep: keepDescriptor },
    epollCtl: { kinds: ['fd', 'operation', 'fd', 'events', 'number'] },
    epollWait: { kinds: ['fd', 'memory', 'nothing'], guard: atOnce(2) },
    poll: { kinds: ['memory', 'small', 'nothing'], guard: atOnce(2) },
    pollerOpen: { kinds: ['listener', 'ints', 'number'], guard: stays(1) },
    pollerHold: { kinds: ['flag'] },
    pollerWatch: { kinds: ['operation', 'fd', 'events', 'number'] },
    pollerCollect: { kinds: [] },
    pollerMeasure: { kinds: ['number'] },
    pollerUncaught: { kinds: [], guard: () => false }, // ends the process, whatever it is given
    ringMemory: { kinds: [] },
    ringOpen: {
        kinds: ['fd', 'rows'],
        guard: (args) => numbers.size < MOST_RINGS && stays(1)(args),
        keep: into(numbers),
    },
    ringTake: { kinds: ['number', 'number'], guard: of(numbers) },
    ringRelease: { kinds: ['number', 'number'], guard: of(numbers) },
    ringName: { kinds: ['number', 'small', 'flag'], guard: of(numbers) },
    ringClose: {
        kinds: ['number'],
        guard: rarely(numbers),
        keep: (_, [it]) => numbers.delete(it),
    },
    sendReserveMax: { kinds: ['fd'] },
    sendReserve: { kinds: ['fd', 'size'] },
    sendCommit: { kinds: ['fd', 'size', 'flags', 'host', 'port'] },
    templateOpen: {
        kinds: ['fd', 'memory', 'host', 'port'],
        guard: (args) => templates.size < MOST_TEMPLATES && stays(1)(args),
        keep: into(templates),
    },
    templateSend: { kinds: ['number', 'flags'], guard: of(templates) },
    sendWarm: { kinds: ['fd', 'number', 'size', 'host', 'port'] },
    templateWarm: { kinds: ['number'], guard: of(templates) },
    templateClose: {
        kinds: ['number'],
        guard: rarely(templates),
        keep: (_, [it]) => templates.delete(it),
    },
}

const posixCalls: Record<string, Omit<Call, 'call'>> = {
    socket: addon.socket as Call,
    bind: { kinds: ['fd', 'host', 'port'] },
    listen: { kinds: ['fd', 'small'] },
    accept: { kinds: ['fd'], guard: held(), keep: keepDescriptor },
    accept4: { kinds: ['fd', 'flags'], guard: unblocked(1), keep: keepDescriptor },
    connect: { kinds: ['fd', 'host', 'port'] },
    shutdown: { kinds: ['fd', 'small'] },
    close: { kinds: ['fd'], guard: mayClose },
    getsockname: { kinds: ['fd'] },
    getpeername: { kinds: ['fd'] },
    getsockopt: { kinds: [...OPTION, 'memory'] },
    setsockopt: { kinds: [...OPTION, 'number'], guard: doesNotLinger },
    send: { kinds: BYTES },
    sendto: { kinds: [...BYTES, 'host', 'port'] },
    recv: { kinds: BYTES },
    recvfrom: { kinds: BYTES },
    read: { kinds: ['fd', 'memory', 'size', 'size'] },
    write: { kinds: ['fd', 'memory', 'size', 'size'] },
    readv: { kinds: ['fd', 'list'] },
    writev: { kinds: ['fd', 'list', 'flags'] },
    fcntl: addon.fcntl as Call,
    ioctl: { kinds: ['fd', 'request', 'number'], guard: ioctlGuard },
    poll: { kinds: ['entries', 'nothing'], guard: atOnce(1) },
    epoll_create1: { kinds: ['small'], guard: held(), keep: keepDescriptor },
    epoll_ctl: { kinds: ['fd', 'operation', 'fd', 'events', 'number'] },
    epoll_wait: { kinds: ['fd', 'ints', 'nothing'], guard: atOnce(2) },
}

/** Of those that were made, and of one that was closed. */
const rings: Ring[] = []
const prepared: Any[] = []
const onRing = (name: keyof Ring, kinds: Kind[], keep?: Call['keep']): Call => ({
    kinds,
    call: (...args) => (values.pick(rings) as Any)?.[name](...args),
    ...(keep && { keep }),
})
const ringCalls: Record<string, Call> = {
    ring: {
        kinds: ['fd', 'nothing'],
        call: ring,
        guard: () => rings.length < MOST_RINGS,
        keep: (one) => rings.push(one),
    },
    'ring.take': onRing('take', []),
    'ring.release': onRing('release', ['small']),
    'ring.onBatch': onRing('onBatch', ['listener']),
    'ring.onMessage': onRing('onMessage', ['layout', 'listener']),
    'ring.messages': onRing(
        'messages',
        ['layout', 'listener'],
        (take) => typeof take === 'function' && take(),
    ),
    'ring.sender': onRing('sender', ['small']),
    'ring.target': onRing('target', ['small']),
    'ring.reserve': onRing('reserve', ['size']),
    'ring.reserveAt': onRing('reserveAt', ['size']),
    'ring.commit': onRing('commit', ['size', 'flag', 'target']),
    'ring.warm': onRing('warm', ['listener']),
    'ring.template': onRing('template', ['memory', 'fields', 'target'], (one) => {
        if (one && prepared.length < MOST_TEMPLATES) prepared.push(one)
        else one?.close()
    }),
    'template.set': { kinds: ['number'], call: (value) => values.pick(prepared)?.set.a?.(value) },
    'template.send': { kinds: ['flag'], call: (more) => values.pick(prepared)?.send(more) },
    'template.close': {
        kinds: [],
        call: () => values.chance(10) && prepared.splice(values.below(prepared.length), 1)[0]?.close(),
    },
    'ring.close': {
        kinds: [],
        call: () => values.chance(10) && rings.splice(values.below(rings.length), 1)[0]?.close(),
    },
}

/** All exports of `module`, each with its entry of the table: one that is missing is an error. */
function callsOf(module: Any, table: Record<string, Omit<Call, 'call'>>, except: string[]): [string, Call][] {
    const names = Object.keys(module).filter((name) => typeof module[name] === 'function')
    const missing = names.filter((name) => !table[name] && !except.includes(name))
    if (missing.length) throw new Error(`nothing is known of ${missing}`)
    return Object.entries(table).map(([name, entry]) => [name, { ...entry, call: module[name] }])
}

const MOST_ERRNO = 133
const isPackage = what === 'package'
const calls: [string, Call][] = isPackage
    ? [...callsOf(posix, posixCalls, []), ...Object.entries(ringCalls)]
    : callsOf(native, addon, ['stop'])
/** Which call gave which answer. */
const answers = new Set<string>()

function one([name, { kinds, call, guard, keep }]: [string, Call]): void {
    const args = kinds
        .slice(0, values.chance(30) ? values.below(8) : undefined)
        .map((kind) => values.of(kind))
    if (guard?.(args) === false) return
    if (isTraced) writeSync(2, `${name}(${args.map((arg) => inspect(arg).slice(0, 40)).join(', ')})\n`)
    let answer: string
    try {
        const result: Any = call(...args)
        keep?.(result, args)
        const isError = !isPackage && typeof result === 'number' && result < 0
        // (In the order of time; -1 of the package's is a word of its own.)
        answer = isError ? String(result) : 'a result'
        if (isError && result < -MOST_ERRNO) throw new Error(`${name} answered ${result}`)
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (!isPackage || typeof code !== 'string' || !/^E[A-Z0-9_]+$/.test(code)) {
            console.error(`${name}(${args.map((arg) => typeof arg)})`)
            throw error
        }
        answer = code
    }
    answers.add(`${name}: ${answer}`)
}

const gauges = () => runtime.stats().stacks.map((stack) => stack.gauges)
/** What each is. */
const descriptors = () =>
    readdirSync('/proc/self/fd').map((fd) => {
        try {
            return `${fd}: ${readlinkSync(`/proc/self/fd/${fd}`)}`
        } catch {
            return '' // the folder itself
        }
    })

function missing(before: ReturnType<typeof gauges>): string[] {
    return gauges().flatMap((now, i) =>
        ['packets_free', 'chunks_free', 'sockets_tcp', 'sockets_udp'].flatMap((name) => {
            const [is = 0, was = 0] = [now[name], before[i]?.[name]]
            const fewer = name.startsWith('sockets') ? is - was : was - is
            return fewer > (name === 'chunks_free' ? CHUNKS_AT_HAND : 0)
                ? [`stack ${i}: ${name} ${is} of ${was}`]
                : []
        }),
    )
}

/** Listeners, connections and datagrams, so that there is something to call with. */
function more(): void {
    if (!held()() || !values.chance(4)) return
    const type = values.pick([posix.SOCK_STREAM, posix.SOCK_DGRAM])
    const fd = native.socket(posix.AF_INET, type | posix.SOCK_NONBLOCK, 0)
    const port = 5000 + values.below(4)
    keepDescriptor(fd)
    if (values.chance(2)) {
        native.bind(fd, '10.87.0.2', port)
        native.listen(fd, 5)
    } else {
        native.connect(fd, '10.87.0.2', port)
        native.send(fd, Buffer.alloc(1000), 0, 1000, 0)
    }
}

async function play(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
        one(values.pick(calls))
        if (i % 20 === 0) more()
        if (i % 50 === 0) native.turn()
        if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const it of rings.splice(0)) it.close()
    for (const it of prepared.splice(0)) it.close()
    for (const it of numbers) native.ringClose(it)
    for (const it of templates) native.templateClose(it)
    for (const fd of fds.splice(0)) native.close(fd)
    numbers.clear()
    templates.clear()
}

async function main(): Promise<void> {
    // A ring without a socket object has nobody else to tell: its error is the process's.
    process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
        if (error.syscall !== 'recv' && error.code !== 'ERR_PRONGHORN_MESSAGE') throw error
    })
    const before = gauges()
    const pairs = new Int32Array(512)
    // (The package's own joins the event loop when somebody asks for it.)
    if (isPackage) runtime.poll()
    else native.pollerOpen(() => {}, pairs, 0)
    native.ringMemory()
    // Threads and epolls open a few descriptors for good when they first need them; the poller's, for the kernel's.
    native.pollerWatch(posix.EPOLL_CTL_ADD, -1, 0, 0)
    await play(Number(count) / 4)
    const open = descriptors()
    await play(Number(count))
    native.shareWords(words)
    native.shareOutbox(outbox)
    for (const start = performance.now(); missing(before).length && performance.now() - start < SETTLE_MS; ) {
        native.turn()
        await sleep(10)
    }
    const leaks = missing(before)
    // getsockopt(SO_PEERPIDFD) of a kernel socket gives the caller a descriptor of its own (unix(7)).
    leaks.push(...descriptors().filter((one) => !open.includes(one) && !one.endsWith('[pidfd]')))
    runtime.stop()
    const after = 50 * calls.length
    for (let i = 0; i < after; i++) one(values.pick(calls))
    console.log(JSON.stringify({ leaks, answers: answers.size }))
    process.exit(0)
}
main()
