// SPDX-License-Identifier: Apache-2.0

import { Duplex, type DuplexOptions } from 'node:stream'
import { rooted } from '../callable.js'
import { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, MSG_MORE, SHUT_WR } from '../constants.js'
import { coded, EAGAIN, ENOTCONN, errnoException } from '../errors.js'
import { native, outbox } from '../native.js'
import type { Poller } from '../poller.js'

/** What of Node's stream state the short path looks at. The same names on Node 20, 22 and 24. */
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

/**
 * The sending half of a connected descriptor: a write is tried at once, and the descriptor is watched
 * for room only after it had none. What comes before the connection waits for it.
 */
export abstract class Sending extends rooted(Duplex) {
    /** @internal */
    declare readonly _writableState: WritableState

    /** connect() is on its way. */
    connecting = false

    /** -1: none yet, or no longer. */
    protected _fd = -1
    protected _token = -1
    protected _poller: Poller | undefined
    protected _idleTimer: NodeJS.Timeout | undefined
    /** Bytes given to _write and _writev so far, and by the short path. */
    protected _dispatched = 0
    /** Bytes that wait for the connection. */
    protected _pendingBytes = 0

    #queue: Uint8Array[] = []
    #queueDone: Done | undefined
    #watchesRoom = false
    #sendError = 0
    #sentAhead = 0
    #progress = -1
    #peerEnded = false

    constructor(options: DuplexOptions) {
        super({ ...options, autoDestroy: true, emitClose: false, decodeStrings: false })
        this.on('end', this.#onEnd)
    }

    /** What keeps the process alive has changed. */
    protected abstract _updateHold(): void

    /** A write waits for room. */
    protected get _writing(): boolean {
        return this.#queueDone !== undefined
    }

    /** There may be room. */
    protected _onRoom(): void {
        if (this.#queueDone !== undefined) this.#flush()
    }

    /** Gives up what is queued: the call that fails the write under way. */
    protected _dropQueue(): Done | undefined {
        const done = this.#queueDone
        this.#queue = []
        this.#queueDone = undefined
        return done
    }

    /**
     * Sends. False: more than highWaterMark bytes wait, and 'drain' tells when they are gone. A Buffer is not to be
     * changed before the callback, which comes when the stack has taken it, or with the error.
     */
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

    /** @internal */
    override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
        this.#send([typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk], done)
    }

    /** @internal */
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

    /** @internal */
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
}
