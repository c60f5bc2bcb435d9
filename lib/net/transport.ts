// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import { Duplex, type DuplexOptions } from 'node:stream'
import { rooted } from '../callable.js'
import {
    EPOLLERR,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    MSG_MORE,
    SHUT_WR,
    SO_LINGER,
    SOL_SOCKET,
} from '../constants.js'
import { coded, EAGAIN, ENOTCONN, errnoException } from '../errors.js'
import { native, outbox } from '../native.js'
import { type Poller, poller, type Watched } from '../poller.js'
import { placeOf } from '../ring/held.js'
import { Ring, type RingOptions } from '../ring/ring.js'

/** What of Node's stream state the short paths look at. The same names on Node 20, 22 and 24. */
interface ReadableState {
    ended: boolean
    flowing: boolean | null
    length: number
    sync: boolean
    decoder: unknown
    pipes: unknown[]
    dataEmitted: boolean
}

interface WritableState {
    length: number
    corked: number
    ending: boolean
    destroyed: boolean
    needDrain: boolean
    defaultEncoding: string
    getBuffer(): { chunk: string | Uint8Array; encoding: BufferEncoding }[]
}

type Done = (error?: Error | null) => void

interface Piece {
    chunk: Buffer | string
    encoding: BufferEncoding
}

/** At least what the pieces take as bytes: three for a unit of UTF-16, in any encoding. */
function mostBytes(pieces: readonly Piece[]): number {
    let sum = 0
    for (const { chunk } of pieces) sum += typeof chunk === 'string' ? chunk.length * 3 : chunk.length
    return sum
}

const READS_PER_EVENT = 16
const LOST = EPOLLRDHUP | EPOLLHUP | EPOLLERR
const ABORTIVE = Int32Array.of(1, 0)

/**
 * A connected descriptor as a Duplex: reading, writing, closing.
 *
 * Readiness is edge-triggered and remembered here, so that pausing, resuming and back-pressure cost no
 * call. A read goes straight into the shared slab and from there to the 'data' listeners; a write is
 * tried at once, and the descriptor is watched for room only after it had none. The stream machinery
 * between is entered whenever it matters (nobody flowing, something queued, an encoding, a pipe) and
 * passed by when it would only cost time.
 */
export abstract class Transport extends rooted(Duplex) implements Watched {
    scope!: AsyncResource
    declare readonly _readableState: ReadableState
    declare readonly _writableState: WritableState

    /** Node's way to give a destroyed stream a new life. */
    declare _undestroy: () => void

    connecting = false
    bytesRead = 0

    /** -1: none yet, or no longer. */
    protected _fd = -1
    protected _token = -1
    protected _poller: Poller | undefined
    /** The stream asked for data and has not had enough. */
    protected _reading = false
    /** There may be input: an edge came that was not read to its end. */
    protected _input = false
    /** The peer's end or an error is behind the input: read on to it even after a short read. */
    protected _lost = false
    protected _eof = false
    /** Bytes given to _write and _writev so far, and by the short path. */
    protected _dispatched = 0
    protected _abortive = false
    protected _idleTimer: NodeJS.Timeout | undefined
    /** Reads in place of the stream. */
    protected _ring: Ring | undefined

    #queue: Uint8Array[] = []
    #queueDone: Done | undefined
    #watchesRoom = false
    #sendError = 0
    #sentAhead = 0
    #referenced = true
    #held = false
    #progress = -1
    #peerEnded = false

    constructor(options: DuplexOptions) {
        super({ ...options, autoDestroy: true, emitClose: false, decodeStrings: false })
        this.on('end', this.#onEnd)
    }

    /** A connecting descriptor is ready. */
    protected abstract _onConnectReady(events: number): void

    /** From now on this descriptor is ours to read, write and close. */
    protected _attach(fd: number, token: number): void {
        this.scope ??= new AsyncResource('PRONGHORN.SOCKET')
        this._fd = fd
        this._poller = poller()
        this._token = token
    }

    /** Registers a descriptor that is connected already. */
    protected _attachConnected(fd: number): void {
        this.scope = new AsyncResource('PRONGHORN.SOCKET')
        const token = poller().add(fd, EPOLLIN | EPOLLRDHUP | EPOLLET, this)
        this._attach(fd, token)
        if (token < 0) this.destroy(errnoException(token, 'epoll_ctl'))
    }

    /** The connection is up: nobody waits for room now. */
    protected _watchInput(): void {
        this._poller?.modify(this._fd, EPOLLIN | EPOLLRDHUP | EPOLLET, this._token)
    }

    onReady(events: number): void {
        if (this.connecting) {
            this._onConnectReady(events)
            return
        }
        if (events & LOST) this._lost = true
        if (events & (EPOLLIN | LOST)) {
            this._input = true
            if (this._ring !== undefined) this._ring.onReady(events)
            else if (this._reading) this._receive()
        }
        if (this.#queueDone !== undefined && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) this.#flush()
    }

    onStop(): void {
        this.destroy()
    }

    // ---- reading ------------------------------------------------------------------------------------

    override _read(size: number): void {
        if (this.connecting || this._fd < 0) {
            if (!this.destroyed) this.once('connect', () => this._read(size))
            return
        }
        if (this._reading || this._eof || this._ring !== undefined) return
        this._reading = true
        this._updateHold()
        if (this._input) this._receive()
    }

    /**
     * What comes from now on is received in place, and the stream gives no 'data' any more; its end,
     * errors and writing stay as they are. For connected sockets.
     */
    ring(options: RingOptions = {}): Ring {
        if (this._fd < 0 || this.connecting || this._ring || this.readableLength > 0)
            throw coded(
                Error,
                'ERR_PRONGHORN_RING',
                this._ring
                    ? 'the socket has a ring already'
                    : 'a ring needs a connected socket with nothing in its read buffer',
            )
        const owner = { onRingEnd: (result: number | Error) => this.#ringEnd(result) }
        this._ring = new Ring(this._fd, options, placeOf(this.ring), owner)
        this._reading = true
        this._updateHold()
        return this._ring
    }

    #ringEnd(result: number | Error): boolean {
        if (typeof result === 'number') this._receiveNothing(result)
        else this.destroy(result)
        return false
    }

    protected _receive(): void {
        const { slab } = this._poller as Poller
        for (let reads = 0; reads < READS_PER_EVENT; reads++) {
            const length = slab.receive(this._fd)
            if (length <= 0) {
                this._receiveNothing(length)
                return
            }
            // A short read took everything (epoll(7)): the next arrival is a new edge.
            const drained = length < slab.room && !this._lost
            if (drained) this._input = false
            this.bytesRead += length
            if (this._idleTimer !== undefined) this._idleTimer.refresh()
            if (!this.#deliver(slab.take(length))) {
                this._reading = false
                this._updateHold()
                return
            }
            if (drained || this._fd < 0 || !this._reading) return
        }
        this._poller?.again(this)
    }

    /** The result of a receive that brought no bytes: the end, nothing yet, or an error. */
    protected _receiveNothing(result: number): void {
        this._input = false
        if (result === -EAGAIN) return
        this._reading = false
        if (result === 0) {
            this._eof = true
            this._updateHold()
            this.push(null)
            // Lets 'end' come even if nobody listens for data and nothing is buffered.
            this.read(0)
            return
        }
        this._updateHold()
        this.destroy(errnoException(result, 'read'))
    }

    /** Whether the stream wants more. */
    #deliver(chunk: Buffer): boolean {
        const state = this._readableState
        if (
            state.flowing === true &&
            state.length === 0 &&
            !state.sync &&
            state.decoder === null &&
            state.pipes.length === 0 &&
            this.listenerCount('data') > 0
        ) {
            state.dataEmitted = true
            this.emit('data', chunk)
            return true
        }
        return this.push(chunk)
    }

    // ---- writing ------------------------------------------------------------------------------------

    override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
        const state = this._writableState
        if (
            this._fd >= 0 &&
            !this.connecting &&
            state.length === 0 &&
            state.corked === 0 &&
            !state.ending &&
            !state.destroyed &&
            !state.needDrain
        ) {
            const sent = typeof chunk === 'string' ? this.#sendText(chunk, encoding) : this.#sendBytes(chunk)
            if (sent) {
                const done = typeof encoding === 'function' ? encoding : callback
                if (typeof done === 'function') process.nextTick(done as Done, null)
                return true
            }
        } else if (this.#peerEnded && state.ending && !this.allowHalfOpen) {
            return this.#writeAfterEnd(typeof encoding === 'function' ? encoding : callback)
        }
        return super.write(chunk as Buffer, encoding as BufferEncoding, callback as Done)
    }

    /** Whether all of it was sent. If not, the stream's own way is taken: _write() comes next. */
    #sendText(text: string, encoding: unknown): boolean {
        if (typeof encoding !== 'string') encoding = this._writableState.defaultEncoding
        if (encoding !== 'utf8' && encoding !== 'latin1' && encoding !== 'ascii' && encoding !== 'utf-8')
            return false
        // Three bytes at most for a unit of UTF-16.
        if (text.length === 0 || text.length * 3 > outbox.length) return false
        const length = outbox.write(text, 0, encoding as BufferEncoding)
        return this.#sendOutbox(length)
    }

    #sendBytes(chunk: unknown): boolean {
        if (!(chunk instanceof Uint8Array) || chunk.length === 0) return false
        return this.#sent(native.send(this._fd, chunk, 0, chunk.length, 0), chunk.length)
    }

    #sent(result: number, length: number): boolean {
        if (result === length) {
            this.#account(length)
            return true
        }
        // What _write() goes on with: a part that is sent already, or an error, which the system
        // reports only once.
        if (result >= 0) this.#sentAhead = result
        else if (result !== -EAGAIN) this.#sendError = result
        return false
    }

    #onEnd(): void {
        this.#peerEnded = true
    }

    #writeAfterEnd(done: unknown): boolean {
        const error = coded(Error, 'EPIPE', 'This socket has been ended by the other party')
        if (typeof done === 'function') process.nextTick(done as Done, error)
        this.destroy(error)
        return false
    }

    override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
        this.#send([typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk], done)
    }

    override _writev(chunks: Piece[], done: Done): void {
        if (
            this._fd >= 0 &&
            !this.connecting &&
            this.#sendError === 0 &&
            mostBytes(chunks) <= outbox.length
        ) {
            // Small pieces travel in one call. What it does not take is copied, since the outbox is shared.
            let total = 0
            for (const { chunk, encoding } of chunks) {
                if (typeof chunk === 'string') {
                    total += outbox.write(chunk, total, encoding)
                } else {
                    outbox.set(chunk, total)
                    total += chunk.length
                }
            }
            if (this.#sendOutbox(total)) done()
            else this.#send([Buffer.from(outbox.subarray(0, total))], done)
            return
        }
        const bytesOf = ({ chunk, encoding }: Piece) =>
            typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
        this.#send(chunks.map(bytesOf), done)
    }

    #sendOutbox(length: number): boolean {
        return this.#sent(native.sendOutbox(this._fd, length, 0), length)
    }

    #account(length: number): void {
        this._dispatched += length
        if (this._idleTimer !== undefined) this._idleTimer.refresh()
    }

    #send(list: Uint8Array[], done: Done): void {
        if (this.connecting) {
            this.#sendWhenConnected(list, done)
            return
        }
        if (this._fd < 0) {
            done(coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'))
            return
        }
        for (const bytes of list) this.#account(bytes.length)
        if (this.#sentAhead > 0) {
            list[0] = (list[0] as Uint8Array).subarray(this.#sentAhead)
            this.#sentAhead = 0
        }
        this.#queue = list
        this.#queueDone = done
        this.#flush()
    }

    #sendWhenConnected(list: Uint8Array[], done: Done): void {
        this._pendingBytes = list.reduce((sum, bytes) => sum + bytes.length, 0)
        const onClose = () =>
            done(
                coded(
                    Error,
                    'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
                    'Socket closed before the connection was established',
                ),
            )
        this.once('connect', () => {
            this.off('close', onClose)
            this._pendingBytes = 0
            this.#send(list, done)
        })
        this.once('close', onClose)
    }

    protected _pendingBytes = 0

    #flush(): void {
        const queue = this.#queue
        let error = this.#sendError
        this.#sendError = 0
        while (error === 0 && queue.length > 0) {
            const bytes = queue[0] as Uint8Array
            const flags = queue.length > 1 ? MSG_MORE : 0
            const sent = bytes.length === 0 ? 0 : native.send(this._fd, bytes, 0, bytes.length, flags)
            if (sent === bytes.length) {
                queue.shift()
            } else if (sent >= 0) {
                queue[0] = bytes.subarray(sent)
            } else if (sent === -EAGAIN) {
                this.#waitForRoom()
                return
            } else {
                error = sent
            }
        }
        const done = this.#queueDone as Done
        this.#queue = []
        this.#queueDone = undefined
        this._updateHold()
        done(error === 0 ? null : errnoException(error, 'write'))
    }

    #waitForRoom(): void {
        this._updateHold()
        // Asked for once and kept: a change of interest looks at the present state, and from then on
        // every time that room comes back is an edge.
        if (this.#watchesRoom) return
        this.#watchesRoom = true
        this._poller?.modify(this._fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this._token)
    }

    override _final(done: Done): void {
        // Also before connect(), as in Node: what was ended waits for its connection.
        if (this.connecting || this._fd < 0) {
            this.once('connect', () => this._final(done))
            return
        }
        const result = native.shutdown(this._fd, SHUT_WR)
        const error = result < 0 && result !== -ENOTCONN ? errnoException(result, 'shutdown') : null
        // Later, as where shutting down is a request: what follows end() in the same turn comes first.
        process.nextTick(done, error)
    }

    /** Bytes written by the user that have not come to _write yet, or wait there for the connection. */
    protected _queuedBytes(): number {
        let sum = this._pendingBytes
        for (const { chunk, encoding } of this._writableState.getBuffer())
            sum += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
        return sum
    }

    /** Whether a write has made progress since the last time somebody asked. */
    protected _writeProgress(): boolean {
        if (this.#queueDone === undefined) return false
        const left = this.#queue.reduce((sum, bytes) => sum + bytes.length, 0)
        const moved = left !== this.#progress
        this.#progress = left
        return moved
    }

    // ---- life ---------------------------------------------------------------------------------------

    ref(): this {
        this.#referenced = true
        this._updateHold()
        return this
    }

    unref(): this {
        this.#referenced = false
        this._updateHold()
        return this
    }

    /** What keeps the process alive is what Node's own sockets count: connecting, reading, writing. */
    protected _updateHold(): void {
        const hold =
            this.#referenced &&
            this._fd >= 0 &&
            (this.connecting || this._reading || this.#queueDone !== undefined)
        if (hold === this.#held) return
        this.#held = hold
        this._poller?.hold(hold ? 1 : -1)
    }

    /** Closes the descriptor; an abortive close sends a reset. `closed` runs in a later turn of the loop. */
    protected _closeDescriptor(closed: () => void): number {
        const fd = this._fd
        const done = this.#queueDone
        let result = 0
        this._fd = -1
        this._reading = false
        this.#queue = []
        this.#queueDone = undefined
        setImmediate(() => {
            // The write under way ends with its socket, and the stream then fails those behind it.
            done?.(null)
            closed()
        })
        this._updateHold()
        if (fd < 0) return 0
        this._ring?.close()
        if (this._token >= 0) this._poller?.release(this._token)
        this._token = -1
        if (this._abortive) result = native.setsockoptBytes(fd, SOL_SOCKET, SO_LINGER, ABORTIVE)
        native.close(fd)
        return result
    }
}
