// SPDX-License-Identifier: Apache-2.0
// Datagrams on their way out of a socket: sent at once, or kept until there is room.

import { connectException, EAGAIN } from '../errors.js'
import { native } from '../native.js'
import type { Sent } from './arguments.js'

export interface Message {
    bytes: Uint8Array
    /** Without one the socket is connected. */
    address: string | undefined
    port: number
    done: Sent | undefined
}

/** What the queue wants of its socket. */
interface Owner {
    descriptor: () => number
    /** flush() is called when there is room, or need not be any more. */
    wantRoom: (wanted: boolean) => void
    /** An error that no callback hears. */
    failed: (error: Error) => void
}

/** sendmmsg(2)'s own: others follow at once. An inline stack is then turned once for all of them. */
const MSG_BATCH = 0x40000
/** Of those, what is sent at the latest: a burst of packets, or so many bytes. */
const BATCH = 32
const BATCH_BYTES = 32768

/** Counts turns of the event loop in which something was sent. */
let turn = 0
let turnEnds = false
/** Something was put off. */
let unsent = false

function endTurn(): void {
    turn++
    turnEnds = false
    if (!unsent) return
    unsent = false
    native.turn()
}

export class SendQueue {
    readonly #owner: Owner
    #waiting: Message[] = []
    #turn = -1
    #turnCount = 0
    #turnBytes = 0
    /** Since something of this turn was sent last. */
    #waitingBytes = 0

    constructor(owner: Owner) {
        this.#owner = owner
    }

    /** Until their callbacks could have run, messages of this turn count as queued, as in Node. */
    get bytes(): number {
        if (this.#turn === turn) return this.#turnBytes
        return this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
    }

    get count(): number {
        return this.#turn === turn ? this.#turnCount : this.#waiting.length
    }

    /** Without an address the socket is connected. */
    send(bytes: Uint8Array, address: string | undefined, port: number, done: Sent | undefined): void {
        const later = this.#tally(bytes.length)
        if (this.#waiting.length === 0 && this.#sendNow(bytes, address, port, done, later)) return
        // The caller may use its memory again when the callback has run, not before.
        this.#waiting.push({ bytes, address, port, done })
        if (this.#waiting.length === 1) this.#owner.wantRoom(true)
    }

    flush(): void {
        if (this.#waiting.length === 0) return
        while (this.#waiting.length > 0) {
            const { bytes, address, port, done } = this.#waiting[0] as Message
            if (!this.#sendNow(bytes, address, port, done, false)) break
            this.#waiting.shift()
        }
        if (this.#waiting.length === 0) this.#owner.wantRoom(false)
    }

    drop(): void {
        this.#waiting = []
    }

    /**
     * Whether it may go out with what follows in this turn. The first one goes at once, so that whoever sends one
     * at a time does not wait; no more than a burst waits at all.
     */
    #tally(bytes: number): boolean {
        if (!turnEnds) {
            turnEnds = true
            process.nextTick(endTurn)
        }
        if (this.#turn !== turn) {
            this.#turn = turn
            this.#turnCount = 1
            this.#turnBytes = this.#waitingBytes = bytes
            return false
        }
        this.#turnCount++
        this.#turnBytes += bytes
        this.#waitingBytes += bytes
        if (this.#turnCount % BATCH !== 0 && this.#waitingBytes < BATCH_BYTES) return true
        this.#waitingBytes = 0
        return false
    }

    /** Whether it is done with. */
    #sendNow(
        bytes: Uint8Array,
        address: string | undefined,
        port: number,
        done: Sent | undefined,
        later: boolean,
    ): boolean {
        const fd = this.#owner.descriptor()
        const flags = later ? MSG_BATCH : 0
        const result =
            address === undefined
                ? native.send(fd, bytes, 0, bytes.length, flags)
                : native.sendto(fd, bytes, 0, bytes.length, flags, address, port)
        if (later) unsent = true
        if (result >= 0) {
            if (done) process.nextTick(done, null, result)
            return true
        }
        if (result === -EAGAIN) return false
        const error = connectException(result, 'send', address, port)
        if (done) process.nextTick(done, error, 0)
        else process.nextTick(() => this.#owner.failed(error))
        return true
    }
}
