// SPDX-License-Identifier: Apache-2.0
// Datagrams on their way to 'message' listeners: one call of the addon takes a batch. Their bytes lie one
// behind the other in memory that is not used again, so that a listener may keep what it got.

import type { RemoteInfo } from 'node:dgram'
import { markAsUntransferable } from 'node:worker_threads'
import { textInRow } from '../address.js'
import { type BlockListLike, blocked } from '../block-list.js'
import { native, words } from '../native.js'

/** The longest datagram; a shorter rest of the memory might cut one off (native/node/data.cc). */
const DATAGRAM_BYTES = 65536
const MEMORY_BYTES = 4 * DATAGRAM_BYTES
/** Then others in the event loop have their turn. */
const BATCH = 64

/** Of each datagram in `rows`, as native/node/data.cc writes them; the sender's scope and address follow. */
const OFFSET = 0
const LENGTH = 1
const FAMILY = 2
const PORT = 3
const ROW = 9

/** Buffer's class itself: half the time of Buffer.from(), which looks at its arguments first. */
const BufferOver = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
    memory: ArrayBuffer,
    offset: number,
    length: number,
) => Buffer

/** The socket whose datagrams they are. */
interface Owner {
    emit(event: 'message', message: Buffer, from: RemoteInfo): unknown
}

export class Receiver {
    readonly #owner: Owner
    readonly #refused: BlockListLike | undefined
    #memory = new ArrayBuffer(0)
    #bytes = new Uint8Array(this.#memory)
    #offset = 0
    #rows: Int32Array | undefined
    /** Of the batch: what a listener that threw, or that looks for events itself, left is told first. */
    #next = 0
    #count = 0

    constructor(owner: Owner, refused: BlockListLike | undefined) {
        this.#owner = owner
        this.#refused = refused
    }

    /** Tells a batch. Why there are no more: -EAGAIN; 0: there may be; or what went wrong. */
    receive(fd: number): number {
        this.#tell()
        if (this.#memory.byteLength - this.#offset < DATAGRAM_BYTES) this.#renew()
        this.#rows ??= new Int32Array(BATCH * ROW)
        const count = native.recvDatagrams(fd, this.#bytes, this.#offset, this.#rows)
        // Now: listeners make calls of their own.
        const why = words[0] as number
        if (count > 0) {
            const last = (count - 1) * ROW
            const rows = this.#rows
            this.#offset = ((rows[last + OFFSET] as number) + (rows[last + LENGTH] as number) + 7) & ~7
            this.#next = 0
            this.#count = count
            this.#tell()
        }
        return why
    }

    /** The socket was closed: what is left of the batch is nobody's. */
    drop(): void {
        this.#count = 0
    }

    #tell(): void {
        const rows = this.#rows as Int32Array
        while (this.#next < this.#count) {
            const at = this.#next++ * ROW
            const address = textInRow(rows, at + FAMILY)
            if (this.#refused !== undefined && blocked(this.#refused, address)) continue
            const size = rows[at + LENGTH] as number
            this.#owner.emit('message', new BufferOver(this.#memory, rows[at + OFFSET] as number, size), {
                address,
                family: rows[at + FAMILY] === 4 ? 'IPv4' : 'IPv6',
                port: rows[at + PORT] as number,
                size,
            })
        }
    }

    #renew(): void {
        this.#bytes = Buffer.allocUnsafeSlow(MEMORY_BYTES)
        this.#memory = this.#bytes.buffer as ArrayBuffer
        markAsUntransferable(this.#memory)
        this.#offset = 0
    }
}
