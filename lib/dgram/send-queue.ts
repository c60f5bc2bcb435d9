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

/** Counts turns of the event loop in which something was sent. */
let turn = 0
let turnEnds = false

function endTurn(): void {
    turn++
    turnEnds = false
}

export class SendQueue {
    readonly #owner: Owner
    #waiting: Message[] = []
    #turn = -1
    #turnCount = 0
    #turnBytes = 0

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

    send(message: Message): void {
        this.#tally(message.bytes.length)
        if (this.#waiting.length === 0 && this.#sendNow(message)) return
        // The caller may use its memory again when the callback has run, not before.
        this.#waiting.push(message)
        if (this.#waiting.length === 1) this.#owner.wantRoom(true)
    }

    flush(): void {
        if (this.#waiting.length === 0) return
        while (this.#waiting.length > 0 && this.#sendNow(this.#waiting[0] as Message)) this.#waiting.shift()
        if (this.#waiting.length === 0) this.#owner.wantRoom(false)
    }

    drop(): void {
        this.#waiting = []
    }

    #tally(bytes: number): void {
        if (!turnEnds) {
            turnEnds = true
            process.nextTick(endTurn)
        }
        if (this.#turn !== turn) {
            this.#turn = turn
            this.#turnCount = this.#turnBytes = 0
        }
        this.#turnCount++
        this.#turnBytes += bytes
    }

    /** Whether it is done with. */
    #sendNow({ bytes, address, port, done }: Message): boolean {
        const fd = this.#owner.descriptor()
        const result =
            address === undefined
                ? native.send(fd, bytes, 0, bytes.length, 0)
                : native.sendto(fd, bytes, 0, bytes.length, 0, address, port)
        if (result === -EAGAIN) return false
        const error = result < 0 ? connectException(result, 'send', address, port) : null
        if (done) process.nextTick(done, error, error ? 0 : result)
        else if (error) process.nextTick(() => this.#owner.failed(error))
        return true
    }
}
