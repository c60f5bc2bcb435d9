// SPDX-License-Identifier: Apache-2.0
// Properties of a connection, whatever is written and however it is read: nothing is lost, reordered or
// buffered without bound, and what the program sees is what node:net shows it. Random cases come from
// a seed (PRONGHORN_TEST_SEED), PRONGHORN_TEST_RUNS of them; a failure names its smallest case.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import nodeNet from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import ourNet from '../../lib/net/index.js'
import { closed, type Net, shape } from './oracle.js'
import { host, startStack } from './stack.js'

t.before(startStack)

const seed = Number(process.env.PRONGHORN_TEST_SEED ?? 1)
const numRuns = Number(process.env.PRONGHORN_TEST_RUNS ?? 60)
/** Of a failure that is looked into: goes straight to that case. */
const path = process.env.PRONGHORN_TEST_PATH
const ENCODINGS = ['utf8', 'latin1', 'ascii', 'hex', 'base64', 'base64url', 'utf16le'] as const
type Encoding = (typeof ENCODINGS)[number]

// ---- what is written ------------------------------------------------------------------------------------

interface Write {
    kind: Encoding | 'Buffer' | 'Uint8Array'
    size: number
    /** Beginning and end of a cork() around this and the following writes. */
    cork: boolean
    uncork: boolean
    /** Waits for 'drain' when asked to, for the callback, or for nothing. */
    wait: 'drain' | 'callback' | 'turn' | 'no'
}

const sizes = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 3, arbitrary: fc.constantFrom(0, 1, 1460, 4096, 16384, 65535, 65536, 65537) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 400_000 }) },
)
const writes: fc.Arbitrary<Write[]> = fc.array(
    fc.record({
        kind: fc.constantFrom<Write['kind']>(...ENCODINGS, 'Buffer', 'Uint8Array'),
        size: sizes,
        cork: fc.boolean(),
        uncork: fc.boolean(),
        wait: fc.constantFrom<Write['wait']>('drain', 'callback', 'turn', 'no', 'no'),
    }),
    { maxLength: 20 },
)

/** The argument for write() and the bytes that it stands for. */
function contentOf({ kind, size }: Write, i: number): [string | Uint8Array, Buffer] {
    const bytes = Buffer.alloc(size)
    for (let at = 0; at < size; at++) bytes[at] = (at * 31 + i * 17 + (at >> 8)) & 255
    if (kind === 'Buffer') return [bytes, bytes]
    if (kind === 'Uint8Array') {
        // A view that does not begin where its memory does.
        const memory = new Uint8Array(size + 3)
        memory.set(bytes, 3)
        return [memory.subarray(3), bytes]
    }
    // (ASCII has 7 bits; in UTF-8 two and three bytes for a character, and pairs of surrogates.)
    const text =
        kind === 'ascii'
            ? Buffer.from(bytes.map((byte) => byte & 127)).toString('latin1')
            : kind === 'utf8'
              ? 'aé€𝄞'.repeat(Math.ceil(size / 10)).slice(0, size)
              : kind === 'utf16le'
                ? bytes.subarray(0, size & ~1).toString('utf16le')
                : bytes.toString(kind)
    return [text, Buffer.from(text, kind)]
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Plays the writes on a connected or still connecting socket; resolves when all callbacks have run. */
async function playWrites(socket: nodeNet.Socket, list: Write[], note: (line: string) => void) {
    const hash = createHash('sha256')
    const done: Promise<void>[] = []
    let corked = 0
    for (const [i, write] of list.entries()) {
        const [content, bytes] = contentOf(write, i)
        hash.update(bytes)
        if (write.cork) {
            socket.cork()
            corked++
        }
        const encoding = typeof content === 'string' ? (write.kind as Encoding) : undefined
        let more = true
        const written = new Promise<void>((resolve) => {
            const callback = (error?: Error | null) => {
                note(`written ${i} ${error ? shape(error)?.code : ''}`)
                resolve()
            }
            more = encoding
                ? socket.write(content as string, encoding, callback)
                : socket.write(content, callback)
        })
        done.push(written)
        while (corked > 0 && (write.uncork || write.wait !== 'no')) {
            socket.uncork()
            corked--
        }
        if (write.wait === 'drain' && !more) await new Promise((resolve) => socket.once('drain', resolve))
        if (write.wait === 'callback') await written
        if (write.wait === 'turn') await turn()
    }
    for (; corked > 0; corked--) socket.uncork()
    await Promise.all(done)
    return hash.digest('hex')
}

// ---- how it is read -------------------------------------------------------------------------------------

interface Reading {
    how: 'data' | 'readable' | 'iterate' | 'read'
    /** Every so many chunks it pauses, for so many turns of the event loop. */
    pauseEvery: number
    pauseTurns: number
    highWaterMark: number | undefined
}

const readings: fc.Arbitrary<Reading> = fc.record({
    how: fc.constantFrom<Reading['how']>('data', 'readable', 'iterate', 'read'),
    pauseEvery: fc.integer({ min: 1, max: 4 }),
    pauseTurns: fc.integer({ min: 0, max: 5 }),
    highWaterMark: fc.constantFrom(undefined, 1, 1000, 100_000),
})
/** The most that one read from a socket brings (both worlds read at most 64 KiB at once). */
const READ_BYTES = 65536
/** What the reader that asks for pieces asks for. */
const PIECE_BYTES = 1024

/** Reads to the end: the hash of what came, and how much lay in the stream at most. */
async function read(socket: nodeNet.Socket, { how, pauseEvery, pauseTurns }: Reading) {
    const hash = createHash('sha256')
    let chunks = 0
    let most = 0
    const take = (chunk: Buffer) => {
        hash.update(chunk)
        most = Math.max(most, socket.readableLength)
        return ++chunks % pauseEvery === 0 && pauseTurns > 0
    }
    const rest = async () => {
        for (let i = 0; i < pauseTurns; i++) {
            await turn()
            most = Math.max(most, socket.readableLength)
        }
    }
    if (how === 'iterate') {
        // (Left to itself the iterator destroys the socket at the end, writing or not.)
        for await (const chunk of socket.iterator({ destroyOnReturn: false })) if (take(chunk)) await rest()
    } else {
        const ended = new Promise((resolve) => socket.once('end', resolve))
        if (how === 'data') {
            socket.on('data', (chunk) => {
                if (!take(chunk)) return
                socket.pause()
                rest().then(() => socket.resume())
            })
        } else {
            socket.on('readable', () => {
                // read(n) as far as there is so much, then all that is left.
                const size = how === 'read' ? PIECE_BYTES : undefined
                for (;;) {
                    const chunk = (size && socket.read(size)) || socket.read()
                    if (chunk === null) return
                    take(chunk)
                }
            })
        }
        await ended
    }
    return { hash: hash.digest('hex'), most }
}

// ---- the properties -------------------------------------------------------------------------------------

type Notes = Record<string, string[]>
type Content = [Write[], Write[]]
type Readers = [Reading, Reading]

/** Both ends write and read at once, each ends when it has written; what everybody saw. */
async function exchange(net: Net, at: string, content: Content, readers: Readers): Promise<Notes> {
    const seen: Notes = {}
    const note = (what: string, line: string) => {
        seen[what] ??= []
        seen[what].push(line)
    }
    const play = async (who: string, socket: nodeNet.Socket, list: Write[], reader: Reading) => {
        socket.on('error', (error) => note(who, `error ${JSON.stringify(shape(error))}`))
        socket.on('end', () => note(who, `end ${socket.readableLength}`))
        socket.on('close', (failed) => note(who, `close ${failed}`))
        const ending = closed(socket)
        const writing = playWrites(socket, list, (line) => note(`${who} writes`, line)).then((hash) => {
            socket.end()
            return hash
        })
        const [sent, received] = await Promise.all([writing, read(socket, reader)])
        await ending
        note(who, `${socket.bytesWritten} ${socket.bytesRead} ${socket.destroyed} ${socket.readyState}`)
        // (read(n) raises the mark to the next power of two.)
        const bound = Math.max(reader.highWaterMark ?? READ_BYTES, PIECE_BYTES) + READ_BYTES
        if (received.most > bound) throw new Error(`${received.most} bytes lay in the stream, not ${bound}`)
        return { sent, received: received.hash }
    }
    const optionsOf = ({ highWaterMark }: Reading) => ({
        allowHalfOpen: true,
        ...(highWaterMark === undefined ? {} : { highWaterMark }),
    })
    const server = net.createServer(optionsOf(readers[1]))
    const accepted = new Promise<nodeNet.Socket>((resolve) => server.once('connection', resolve))
    await new Promise<void>((resolve) => server.listen(0, at, resolve))
    const client = new net.Socket(optionsOf(readers[0]))
    client.connect((server.address() as nodeNet.AddressInfo).port, at)
    const [mine, theirs] = await Promise.all([
        play('client', client, content[0], readers[0]),
        accepted.then((socket) => play('server', socket, content[1], readers[1])),
    ])
    server.close()
    if (mine.sent !== theirs.received || theirs.sent !== mine.received) throw new Error('other bytes came')
    return seen
}

async function check<T>(t: Test, property: fc.IAsyncProperty<T>): Promise<void> {
    const result = await fc.check(property, { seed, numRuns, ...(path ? { path } : {}) })
    const report = result.failed && (await fc.asyncDefaultReportMessage(result))
    const why = report || `${result.numRuns} runs`
    t.notOk(result.failed, why, { error: String(result.errorInstance) })
}

t.test('whatever is written, corked and paused: the same bytes, events and numbers as node:net', (t) =>
    check(
        t,
        fc.asyncProperty(writes, writes, readings, readings, async (a, b, one, two) => {
            const expected = await exchange(nodeNet, '127.0.0.1', [a, b], [one, two])
            const found = await exchange(ourNet as unknown as Net, host, [a, b], [one, two])
            assert.deepEqual(found, expected)
        }),
    ),
)
