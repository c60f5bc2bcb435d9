// SPDX-License-Identifier: Apache-2.0
// Messages out of batches. What lies whole in a segment is handed out in place; what spans two or more
// is put together in memory of our own first.

import { checkNames, coded, invalidType } from '../errors.js'
import { LENGTH, MORE, OFFSET, ROW, TIME } from './rows.js'

/**
 * `view` is the arena or a message put together; it and what lies in it are valid during the call.
 * `time`: when its first byte was received, in ns of process.hrtime()'s clock.
 */
export type OnMessage = (view: DataView, offset: number, length: number, time: number) => void

/** Every message has this many bytes. */
export interface FixedLayout {
    /** The length of each. */
    bytes: number
}

/** A length field in front. */
export interface PrefixedLayout {
    /** Bytes of the length field. */
    prefix: 1 | 2 | 4
    /** Where it begins in the message; 0. */
    at?: number
    /** The byte order of the length field; big-endian by default, as the network has it. */
    littleEndian?: boolean
    /** What has to be added to the field's value to get the whole message's length; at + prefix. */
    plus?: number
    /** The longest message that is accepted; 65536. A longer one is an error (ERR_PRONGHORN_MESSAGE). */
    max?: number
}

/** A datagram is a message. */
export interface DatagramLayout {
    /** Each message is a datagram. */
    datagrams: true
}

/** How messages lie in what is received. */
export type Layout = FixedLayout | PrefixedLayout | DatagramLayout

/** Where segments lie. */
export interface Source {
    readonly rows: Float64Array
    readonly bytes: Uint8Array
    readonly view: DataView
}

const MAX_BYTES = 65536

function positive(name: string, value: unknown): number {
    if (!Number.isInteger(value) || (value as number) < 1)
        throw invalidType(name, 'a positive integer', value)
    return value as number
}

/** Takes a batch apart. A handler that throws loses no message but its own. */
export abstract class Framer {
    /** Messages so far. */
    count = 0
    /** What came was no message: nothing behind it can be understood. */
    broken: Error | undefined
    protected _source: Source
    protected _handler: OnMessage
    /** Where to go on in the batch. */
    protected _row = 0
    protected _offset = -1
    /** A message put together: how much of it is there. */
    protected _have = 0
    protected _time = 0
    protected _part: Uint8Array
    protected _partView: DataView

    constructor(source: Source, handler: OnMessage, partBytes: number) {
        if (typeof handler !== 'function') throw invalidType('listener', 'of type function', handler)
        this._source = source
        this._handler = handler
        this._part = new Uint8Array(new ArrayBuffer(partBytes))
        this._partView = new DataView(this._part.buffer)
    }

    /** One batch of so many segments. */
    run(segments: number): void {
        let failed = false
        let failure: unknown
        this._row = 0
        this._offset = -1
        for (;;) {
            try {
                this._frame(segments)
                break
            } catch (error) {
                // Reported as Node reports a listener's: the first one now, others on their own.
                if (failed) {
                    process.nextTick(() => {
                        throw error
                    })
                } else {
                    failed = true
                    failure = error
                }
            }
        }
        if (failed) throw failure
    }

    protected abstract _frame(segments: number): void

    /** Adds to the message that is put together, up to `size` bytes of it; the offset behind what it took. */
    protected _gather(offset: number, end: number, size: number): number {
        const part = Math.min(size - this._have, end - offset)
        const { bytes } = this._source
        const to = this._part
        let at = this._have
        // A call into the engine costs more than this for the few bytes that it mostly is.
        if (part > 64) to.set(bytes.subarray(offset, offset + part), at)
        else for (let i = 0; i < part; i++) to[at++] = bytes[offset + i] as number
        this._have += part
        return offset + part
    }

    protected _grow(size: number): void {
        if (this._part.length >= size) return
        const larger = new Uint8Array(new ArrayBuffer(Math.max(size, 2 * this._part.length)))
        larger.set(this._part.subarray(0, this._have))
        this._part = larger
        this._partView = new DataView(larger.buffer)
    }
}

class Fixed extends Framer {
    #size: number

    constructor(source: Source, handler: OnMessage, size: number) {
        super(source, handler, size)
        this.#size = size
    }

    protected override _frame(segments: number): void {
        const { rows, view } = this._source
        const handler = this._handler
        const size = this.#size
        let row = this._row
        let offset = this._offset
        let count = 0
        try {
            for (; row < segments; row++, offset = -1) {
                const at = row * ROW
                const start = rows[at + OFFSET] as number
                const end = start + (rows[at + LENGTH] as number)
                const time = rows[at + TIME] as number
                if (offset < 0) offset = start
                if (this._have > 0) {
                    offset = this._gather(offset, end, size)
                    if (this._have < size) continue
                    this._have = 0
                    count++
                    handler(this._partView, 0, size, this._time)
                }
                for (const last = end - size; offset <= last; ) {
                    const message = offset
                    offset += size
                    count++
                    handler(view, message, size, time)
                }
                if (offset < end) {
                    this._time = time
                    this._gather(offset, end, size)
                }
            }
        } finally {
            this._row = row
            this._offset = offset
            this.count += count
        }
    }
}

class Prefixed extends Framer {
    #prefix: number
    #at: number
    #little: boolean
    #plus: number
    #max: number
    #head: number
    /** Length of the message that is put together; 0: not known yet. */
    #length = 0
    /** It is there as a whole. */
    #whole = false

    constructor(source: Source, handler: OnMessage, layout: PrefixedLayout) {
        super(source, handler, 256)
        if (![1, 2, 4].includes(layout.prefix)) throw invalidType('layout.prefix', '1, 2 or 4', layout.prefix)
        this.#prefix = layout.prefix
        this.#at = layout.at ?? 0
        if (!Number.isInteger(this.#at) || this.#at < 0)
            throw invalidType('layout.at', 'an integer >= 0', layout.at)
        this.#little = layout.littleEndian ?? false
        this.#head = this.#at + this.#prefix
        this.#plus = layout.plus ?? this.#head
        if (!Number.isInteger(this.#plus)) throw invalidType('layout.plus', 'an integer', layout.plus)
        this.#max = positive('layout.max', layout.max ?? MAX_BYTES)
    }

    #lengthAt(view: DataView, offset: number): number {
        const at = offset + this.#at
        const value =
            this.#prefix === 2
                ? view.getUint16(at, this.#little)
                : this.#prefix === 4
                  ? view.getUint32(at, this.#little)
                  : view.getUint8(at)
        const length = value + this.#plus
        if (length >= this.#head && length <= this.#max) return length
        this.broken = coded(
            RangeError,
            'ERR_PRONGHORN_MESSAGE',
            `a message of ${length} bytes in the stream; at least ${this.#head} and at most ${this.#max} are expected`,
        )
        return this.#head
    }

    protected override _frame(segments: number): void {
        const { rows, view } = this._source
        const handler = this._handler
        const head = this.#head
        let row = this._row
        let offset = this._offset
        try {
            for (; row < segments; row++, offset = -1) {
                const at = row * ROW
                const start = rows[at + OFFSET] as number
                const end = start + (rows[at + LENGTH] as number)
                const time = rows[at + TIME] as number
                if (offset < 0) offset = start
                while (offset < end) {
                    if (this._have > 0) {
                        offset = this.#goOn(offset, end)
                        if (this.broken) return
                        if (!this.#whole) continue
                        const length = this.#length
                        this._have = 0
                        this.#length = 0
                        this.#whole = false
                        this.count++
                        handler(this._partView, 0, length, this._time)
                        continue
                    }
                    const room = end - offset
                    const length = room < head ? 0 : this.#lengthAt(view, offset)
                    if (this.broken) return
                    if (length > 0 && length <= room) {
                        const message = offset
                        offset += length
                        this.count++
                        handler(view, message, length, time)
                    } else {
                        this._time = time
                        this.#length = length
                        this._grow(length > 0 ? length : head)
                        offset = this._gather(offset, end, length > 0 ? length : head)
                    }
                }
            }
        } finally {
            this._row = row
            this._offset = offset
        }
    }

    /** With a message of which something is there; the offset behind what it took. */
    #goOn(offset: number, end: number): number {
        if (this.#length === 0) {
            offset = this._gather(offset, end, this.#head)
            if (this._have < this.#head) return offset
            this.#length = this.#lengthAt(this._partView, 0)
            if (this.broken) return offset
            this._grow(this.#length)
        }
        if (this._have < this.#length) offset = this._gather(offset, end, this.#length)
        this.#whole = this._have === this.#length
        return offset
    }
}

class Datagrams extends Framer {
    constructor(source: Source, handler: OnMessage) {
        super(source, handler, 2048)
    }

    protected override _frame(segments: number): void {
        const { rows, view } = this._source
        const handler = this._handler
        let row = this._row
        try {
            while (row < segments) {
                const at = row++ * ROW
                const start = rows[at + OFFSET] as number
                const length = rows[at + LENGTH] as number
                const more = rows[at + MORE] as number
                if (this._have === 0) this._time = rows[at + TIME] as number
                if (this._have > 0 || more !== 0) {
                    this._grow(this._have + length)
                    this._gather(start, start + length, this._have + length)
                    if (more !== 0) continue
                    const whole = this._have
                    this._have = 0
                    this.count++
                    handler(this._partView, 0, whole, this._time)
                } else {
                    this.count++
                    handler(view, start, length, this._time)
                }
            }
        } finally {
            this._row = row
        }
    }
}

export function framer(source: Source, layout: Layout, handler: OnMessage): Framer {
    if (typeof layout !== 'object' || layout === null) throw invalidType('layout', 'of type object', layout)
    if ('datagrams' in layout) {
        checkNames('layout', layout, ['datagrams'])
        if (layout.datagrams !== true) throw invalidType('layout.datagrams', 'true', layout.datagrams)
        return new Datagrams(source, handler)
    }
    if ('prefix' in layout) {
        checkNames('layout', layout, ['prefix', 'at', 'littleEndian', 'plus', 'max'])
        return new Prefixed(source, handler, layout)
    }
    checkNames('layout', layout, ['bytes'])
    return new Fixed(source, handler, positive('layout.bytes', layout.bytes))
}
