// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import { type Address, addressInWords } from '../address.js'
import {
    EPOLLERR,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLRDHUP,
    MSG_DONTWAIT,
    MSG_MORE,
    MSG_PEEK,
} from '../constants.js'
import {
    checkNames,
    coded,
    EAGAIN,
    EINVAL,
    EMSGSIZE,
    errnoException,
    invalidType,
    outOfRange,
} from '../errors.js'
import { native } from '../native.js'
import { poller, type Watched } from '../poller.js'
import { type Arena, arena } from './arena.js'
import { type Holder, unwatchHolder, watchHolder } from './held.js'
import { type Framer, framer, type Layout, type OnMessage } from './messages.js'
import { LENGTH, MORE, OFFSET, ROW, TIME } from './rows.js'
import { type Field, type Sender, type Target, Template, tooLong } from './template.js'

const ENOBUFS = 105
const LOST = EPOLLRDHUP | EPOLLHUP | EPOLLERR
const peeked = new Uint8Array(1)
const SEGMENTS_MIN = 64
const SEGMENTS_MAX = 65536
/** So many batches, then the event loop's other handles have their turn. */
const BATCHES_PER_EVENT = 16
/** Before looking again when there was no memory to lend. */
const SHORT_OF_MEMORY_MS = 1

/** Of a ring. */
export interface RingOptions {
    /** The most segments in one batch; 1024, at least 64. */
    segments?: number
}

/** The socket that a ring reads for. */
export interface RingOwner {
    /** The peer's end (0), -errno, or what came was no message. True: more may come nevertheless. */
    onRingEnd(result: number | Error): boolean
}

/** The segments of the batch that was taken last; reused for each. */
export interface Batch {
    /** How many segments. */
    readonly length: number
    /** Of segment i, into ring.bytes. */
    offset(i: number): number
    /** Its length. */
    bytes(i: number): number
    /** When it was received, ns of process.hrtime()'s clock. */
    time(i: number): number
    /** Whether its datagram goes on in the next segment. */
    more(i: number): boolean
    /** A copy, for those who want to keep it. */
    copy(i: number): Buffer
}

/**
 * What a socket receives, in place. take() or a listener gives batches of segments, whose rows say
 * where in `bytes` they lie; they are the reader's until release(). What is not released fills the
 * receive buffer: the peer of a TCP connection then waits, and datagrams are dropped and counted.
 */
export class Ring implements Watched, Holder, Sender {
    readonly scope = new AsyncResource('PRONGHORN.RING')
    /** The memory that packets lie in. Read only what a row names: all else is the stack's. */
    readonly bytes: Uint8Array
    /** The same memory. */
    readonly view: DataView
    /** Four numbers for each segment of the last batch: OFFSET, LENGTH, TIME, MORE. */
    readonly rows: Float64Array
    readonly place: string
    /** The last batch, for those who read by name; always the same object. */
    readonly batch: Batch
    /** The peer's end was reached. */
    ended = false
    /** Segments that were taken and not released. */
    held = 0
    releases = 0
    /** Within warm(): what is sent now does not leave. */
    warming = false

    #fd: number
    #number: number
    #owner: RingOwner | undefined
    #token = -1
    #closed = false
    #listener: ((segments: number) => void) | undefined
    #delivering = false
    /** Released while delivering: goes with the next take. */
    #due = 0
    #segments = 0
    #reserved = -1
    #wake: (() => void) | undefined

    /** Use socket.ring() or ring(fd). */
    constructor(fd: number, options: RingOptions, place: string, owner?: RingOwner) {
        if (typeof options !== 'object' || options === null)
            throw invalidType('options', 'of type object', options)
        checkNames('options', options, ['segments'])
        const { segments = 1024 } = options
        if (!Number.isInteger(segments) || segments < SEGMENTS_MIN || segments > SEGMENTS_MAX)
            throw outOfRange('options.segments', `>= ${SEGMENTS_MIN} && <= ${SEGMENTS_MAX}`, segments)
        const memory: Arena = arena()
        this.bytes = memory.bytes
        this.view = memory.view
        this.rows = new Float64Array(new ArrayBuffer(segments * ROW * 8))
        this.place = place
        this.#fd = fd
        this.#owner = owner
        const served = native.place(fd)
        if (served < 0) throw errnoException(served, 'ring')
        this.#number = native.ringOpen(fd, this.rows)
        if (this.#number < 0) throw errnoException(this.#number, 'ring')
        this.batch = this.#batch()
        watchHolder(this)
    }

    /** The socket's descriptor; the socket owns it. */
    get fd(): number {
        return this.#fd
    }

    /** Whether everything was given back. */
    get closed(): boolean {
        return this.#closed
    }

    #batch(): Batch {
        const ring = this
        const { rows, bytes } = this
        return {
            get length() {
                return ring.#segments
            },
            offset: (i) => rows[i * ROW + OFFSET] as number,
            bytes: (i) => rows[i * ROW + LENGTH] as number,
            time: (i) => rows[i * ROW + TIME] as number,
            more: (i) => rows[i * ROW + MORE] !== 0,
            copy(i) {
                const offset = rows[i * ROW + OFFSET] as number
                return Buffer.from(bytes.subarray(offset, offset + (rows[i * ROW + LENGTH] as number)))
            },
        }
    }

    // ---- receiving ----------------------------------------------------------------------------------

    /**
     * The next batch, now: how many segments, 0: there is none, -1: the end was reached. Turns an inline stack
     * if nothing is there, so that a loop of the caller's own needs nothing else. Errors throw, or go to the socket.
     */
    take(): number {
        if (this.#closed || this.ended) return -1
        // The addon writes there by its address.
        if (this.rows.length === 0) throw coded(Error, 'ERR_PRONGHORN_RING', "the ring's rows were detached")
        const due = this.#due
        this.#due = 0
        const count = native.ringTake(this.#number, due)
        if (count > 0) {
            this.#segments = count
            this.held += count
            return count
        }
        this.#segments = 0
        if (count === -EAGAIN) return 0
        if (count === -ENOBUFS) {
            setTimeout(() => this.onReady(0), SHORT_OF_MEMORY_MS)
            return 0
        }
        return this.#end(count) ? 0 : -1
    }

    /** The reader is through with the oldest `segments` that it holds; all by default. */
    release(segments = this.held): void {
        if (!Number.isInteger(segments) || segments < 0)
            throw outOfRange('segments', 'an integer >= 0', segments)
        if (segments > this.held) segments = this.held
        if (segments <= 0) return
        this.held -= segments
        this.releases++
        if (this.#delivering) this.#due += segments
        else native.ringRelease(this.#number, segments)
    }

    /**
     * Calls the listener with each batch, in the event loop. What it does not release stays its own.
     * Undefined takes the listener off; what comes then waits.
     */
    onBatch(listener: ((segments: number, ring: this) => void) | undefined): this {
        if (listener !== undefined && typeof listener !== 'function')
            throw invalidType('listener', 'of type function', listener)
        this.#listener = listener && ((segments) => listener(segments, this))
        this.#listen()
        return this
    }

    /** Calls the listener with each message, in place, and releases what was read. */
    onMessage(layout: Layout, listener: OnMessage): Framer {
        const frames = framer(this, layout, listener)
        this.#listener = (segments) => this.#frame(frames, segments)
        this.#listen()
        return frames
    }

    /**
     * For loops of the caller's own: the returned function takes a batch and calls the listener with
     * its messages. It returns how many there were, -1 when the end was reached.
     */
    messages(layout: Layout, listener: OnMessage): () => number {
        const frames = framer(this, layout, listener)
        return () => {
            const segments = this.take()
            if (segments <= 0) return segments
            const before = frames.count
            this.#frame(frames, segments)
            return frames.count - before
        }
    }

    #frame(frames: Framer, segments: number): void {
        try {
            frames.run(segments)
        } finally {
            this.release(segments)
        }
        if (frames.broken) this.#end(frames.broken)
    }

    /** Batches by `for await`; each is released when the next one is asked for. */
    async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
        if (this.#listener) throw coded(Error, 'ERR_PRONGHORN_RING', 'the ring has a listener already')
        this.#join()
        try {
            for (let batches = 1; ; batches++) {
                const count = this.take()
                if (count < 0) return
                if (batches % BATCHES_PER_EVENT === 0) await new Promise((resolve) => setImmediate(resolve))
                if (count > 0) {
                    const { held } = this
                    yield this.batch
                    // What was released in the body is not released twice.
                    this.release(Math.min(count, count - (held - this.held)))
                } else {
                    await new Promise<void>((resolve) => {
                        this.#wake = resolve
                    })
                }
            }
        } finally {
            this.release()
        }
    }

    /** Where the datagram of a segment of the last batch came from. Not after its release. */
    sender(segment: number): Address | undefined {
        return native.ringName(this.#number, segment, false) === 0 ? addressInWords() : undefined
    }

    /** Where it was sent to: one of our addresses, or a multicast group. */
    target(segment: number): Address | undefined {
        return native.ringName(this.#number, segment, true) === 0 ? addressInWords() : undefined
    }

    /** A ring without a socket object watches its descriptor by itself. */
    #join(): void {
        if (this.#owner || this.#token >= 0 || this.#closed) return
        const token = poller().add(this.#fd, EPOLLIN | EPOLLRDHUP | EPOLLET, this)
        if (token < 0) throw errnoException(token, 'epoll_ctl')
        this.#token = token
        poller().hold(1)
    }

    #listen(): void {
        if (!this.#listener) return
        this.#join()
        // What came before is no event any more.
        setImmediate(() => this.onReady(0))
    }

    /** There may be something to take. */
    onReady(events: number): void {
        if (this.#wakeUp() || this.#delivering) return
        if (!this.#listener) {
            if (events & LOST) this.#lookForEnd()
            return
        }
        this.#delivering = true
        let drained = false
        try {
            for (let i = 0; i < BATCHES_PER_EVENT && this.#listens(); i++) {
                const count = this.take()
                if (count <= 0) {
                    drained = true
                    return
                }
                this.#listener(count)
            }
        } finally {
            this.#delivering = false
            if (!this.#closed) this.#afterwards(drained)
        }
    }

    /** Nobody reads here, perhaps it is for sending only: the end is seen nevertheless, if nothing lies before it. */
    #lookForEnd(): void {
        if (!this.#owner || this.ended || this.#closed) return
        const result = native.recv(this.#fd, peeked, 0, 1, MSG_PEEK | MSG_DONTWAIT)
        if (result <= 0 && result !== -EAGAIN) this.#end(result)
    }

    #listens(): boolean {
        return this.#listener !== undefined && !this.#closed
    }

    #afterwards(drained: boolean): void {
        if (this.#due > 0) {
            native.ringRelease(this.#number, this.#due)
            this.#due = 0
        }
        // A listener that threw, or that has had its share, is called again in the loop's next turn.
        if (!drained && this.#listener) poller().again(this)
    }

    onStop(): void {
        this.close()
    }

    /** Whether it goes on nevertheless. */
    #end(result: number | Error): boolean {
        if (this.#owner?.onRingEnd(result)) return true
        this.ended = true
        this.#wakeUp()
        if (!this.#owner && result instanceof Error) throw result
        if (!this.#owner && typeof result === 'number' && result < 0) throw errnoException(result, 'recv')
        return false
    }

    /** Whoever waits in a `for await` looks again. */
    #wakeUp(): boolean {
        const wake = this.#wake
        this.#wake = undefined
        wake?.()
        return wake !== undefined
    }

    // ---- sending ------------------------------------------------------------------------------------

    /**
     * Room in the socket's send memory, as a view to be written to; commit() sends what is written.
     * Undefined: there is no room now. An earlier reservation that was not committed is given up.
     */
    reserve(bytes: number): Uint8Array | undefined {
        const offset = this.reserveAt(bytes)
        return offset < 0 ? undefined : this.bytes.subarray(offset, offset + bytes)
    }

    /** The same without an object for each message: the offset in `bytes` and `view`, or -1. */
    reserveAt(bytes: number): number {
        if (typeof bytes !== 'number' || bytes >>> 0 !== bytes || bytes === 0)
            throw outOfRange('bytes', 'an integer >= 1', bytes)
        const offset = native.sendReserve(this.#fd, bytes)
        this.#reserved = offset
        if (offset >= 0) return offset
        if (offset === -EAGAIN) return -1
        if (offset === -EMSGSIZE) throw tooLong(bytes, native.sendReserveMax(this.#fd), 'reservation')
        throw errnoException(offset, 'reserve')
    }

    /**
     * Sends the first `bytes` of what was reserved. `more`: the next message follows at once, and may
     * share a packet with this one. False: no memory now, try again; the reservation stays.
     */
    commit(bytes: number, more = false, to?: Target): boolean {
        if (typeof bytes !== 'number' || bytes >>> 0 !== bytes)
            throw outOfRange('bytes', 'an integer >= 0', bytes)
        const flags = more ? MSG_MORE : 0
        const result = this.warming
            ? native.sendWarm(this.#fd, this.#reserved, bytes, to?.address, to?.port)
            : to
              ? native.sendCommit(this.#fd, bytes, flags, to.address, to.port)
              : native.sendCommit(this.#fd, bytes, flags)
        if (result >= 0) return true
        if (result === -EAGAIN) return false
        if (result === -EINVAL && !to)
            throw coded(
                Error,
                'ERR_PRONGHORN_RING',
                `${bytes} bytes are more than are reserved: reserve() first`,
            )
        throw errnoException(result, 'commit')
    }

    /**
     * Runs `handler` with sending switched off: its commit() and its templates' send() go the whole way through
     * the stack, up to where the packet would be handed to the device. So caches and branch predictors know
     * both when the moment comes. The handler must know by itself what it must not do twice.
     */
    warm(handler: () => void): void {
        if (typeof handler !== 'function') throw invalidType('handler', 'of type function', handler)
        this.warming = true
        try {
            handler()
        } finally {
            this.warming = false
        }
    }

    /** A prepared message, whose fields are patched in place and which one call sends. */
    template<F extends string = never>(
        message: Uint8Array,
        fields = {} as Record<F, Field>,
        to?: Target,
    ): Template<F> {
        return new Template(this, message, fields, to)
    }

    // ---- life ---------------------------------------------------------------------------------------

    /** Gives everything back. The socket stays open, and a ring can be made again. */
    close(): void {
        if (this.#closed) return
        this.#closed = true
        this.held = 0
        this.#segments = 0
        this.#listener = undefined
        native.ringClose(this.#number)
        unwatchHolder(this)
        if (this.#token >= 0) {
            poller().remove(this.#fd, this.#token)
            poller().hold(-1)
            this.#token = -1
        }
        this.#wakeUp()
    }

    /** `using ring = socket.ring()`: closed at the end of the block. */
    [Symbol.dispose](): void {
        this.close()
    }
}
