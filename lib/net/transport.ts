// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import {
    EPOLLERR,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    SO_LINGER,
    SOL_SOCKET,
} from '../constants.js'
import { coded, EAGAIN, errnoException } from '../errors.js'
import { native } from '../native.js'
import { type Poller, poller, type Watched } from '../poller.js'
import { placeOf } from '../ring/held.js'
import { Ring, type RingOptions } from '../ring/ring.js'
import { Sending } from './sending.js'

/** What of Node's stream state the short path looks at. The same names on Node 20, 22 and 24. */
interface ReadableState {
    ended: boolean
    flowing: boolean | null
    length: number
    sync: boolean
    decoder: unknown
    pipes: unknown[]
    dataEmitted: boolean
}

const READS_PER_EVENT = 16
const LOST = EPOLLRDHUP | EPOLLHUP | EPOLLERR
const ABORTIVE = Int32Array.of(1, 0)

/**
 * A connected descriptor as a Duplex: reading, writing (sending.ts), closing.
 *
 * Readiness is edge-triggered and remembered here, so that pausing, resuming and back-pressure cost no
 * call. A read goes straight into the shared slab and from there to the 'data' listeners. The stream
 * machinery between is entered whenever it matters (nobody flowing, something queued, an encoding, a
 * pipe) and passed by when it would only cost time.
 */
export abstract class Transport extends Sending implements Watched {
    /** @internal */
    scope!: AsyncResource
    /** @internal */
    declare readonly _readableState: ReadableState

    /** Node's way to give a destroyed stream a new life. */
    declare _undestroy: () => void

    /** Bytes received from the connection (by a ring: none are counted). */
    bytesRead = 0

    /** The stream asked for data and has not had enough. */
    protected _reading = false
    /** There may be input: an edge came that was not read to its end. */
    protected _input = false
    /** The peer's end or an error is behind the input: read on to it even after a short read. */
    protected _lost = false
    protected _eof = false
    protected _abortive = false
    /** Reads in place of the stream. */
    protected _ring: Ring | undefined

    #referenced = true
    #held = false

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

    /** @internal */
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
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) this._onRoom()
    }

    /** @internal */
    onStop(): void {
        this.destroy()
    }

    // ---- reading ------------------------------------------------------------------------------------

    /** @internal */
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
        const taken = this._ring !== undefined && !this._ring.closed
        if (this._fd < 0 || this.connecting || taken || this.readableLength > 0)
            throw coded(
                Error,
                'ERR_PRONGHORN_RING',
                taken && this._fd >= 0
                    ? 'the socket has a ring already'
                    : 'a ring needs a connected socket with nothing in its read buffer',
            )
        const owner = { onRingEnd: (result: number | Error) => this.#ringEnd(result) }
        const ring = new Ring(this._fd, options, placeOf(this.ring), owner)
        this._ring = ring
        this._reading = true
        this._updateHold()
        // Its edge came before the ring was there.
        if (this._lost) setImmediate(() => ring.onReady(EPOLLRDHUP))
        return ring
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

    // ---- life ---------------------------------------------------------------------------------------

    /** Keeps the process alive again while it connects, reads or writes. */
    ref(): this {
        this.#referenced = true
        this._updateHold()
        return this
    }

    /** Lets the process end although the socket is open. */
    unref(): this {
        this.#referenced = false
        this._updateHold()
        return this
    }

    /** What keeps the process alive is what Node's own sockets count: connecting, reading, writing. */
    protected override _updateHold(): void {
        const hold = this.#referenced && this._fd >= 0 && (this.connecting || this._reading || this._writing)
        if (hold === this.#held) return
        this.#held = hold
        this._poller?.hold(hold ? 1 : -1)
    }

    /** Closes the descriptor; an abortive close sends a reset. `closed` runs in a later turn of the loop. */
    protected _closeDescriptor(closed: () => void): number {
        const fd = this._fd
        const done = this._dropQueue()
        let result = 0
        this._fd = -1
        this._reading = false
        const end = () => {
            // The write under way ends with its socket, and the stream then fails those behind it.
            done?.(null)
            closed()
        }
        const { scope } = this
        setImmediate(() => (scope === undefined ? end() : scope.runInAsyncScope(end)))
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
