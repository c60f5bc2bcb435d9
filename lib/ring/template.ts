// SPDX-License-Identifier: Apache-2.0

import { markAsUntransferable } from 'node:worker_threads'
import { MSG_MORE } from '../constants.js'
import { EAGAIN, errnoException, invalidType, outOfRange } from '../errors.js'
import { native } from '../native.js'

const writers = {
    u8: (view: DataView, at: number, value: number) => view.setUint8(at, value),
    i8: (view: DataView, at: number, value: number) => view.setInt8(at, value),
    u16: (view: DataView, at: number, value: number) => view.setUint16(at, value),
    i16: (view: DataView, at: number, value: number) => view.setInt16(at, value),
    u32: (view: DataView, at: number, value: number) => view.setUint32(at, value),
    i32: (view: DataView, at: number, value: number) => view.setInt32(at, value),
    f64: (view: DataView, at: number, value: number) => view.setFloat64(at, value),
    u64: (view: DataView, at: number, value: number) => {
        view.setUint32(at, Math.floor(value / 0x1_0000_0000))
        view.setUint32(at + 4, value >>> 0)
    },
    u16le: (view: DataView, at: number, value: number) => view.setUint16(at, value, true),
    i16le: (view: DataView, at: number, value: number) => view.setInt16(at, value, true),
    u32le: (view: DataView, at: number, value: number) => view.setUint32(at, value, true),
    i32le: (view: DataView, at: number, value: number) => view.setInt32(at, value, true),
    f64le: (view: DataView, at: number, value: number) => view.setFloat64(at, value, true),
    u64le: (view: DataView, at: number, value: number) => {
        view.setUint32(at, value >>> 0, true)
        view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
    },
}

/** In bytes. */
const sizeOf = (type: FieldType) => Number(/\d+/.exec(type)) / 8

/** Big-endian, as the network has it, unless it ends in "le". u64: integers up to 2^53. */
export type FieldType = keyof typeof writers

/** A field of a prepared message. */
export interface Field {
    /** Where it begins in the message. */
    at: number
    /** Its size and byte order. */
    type: FieldType
}

/** Where it goes; nothing on connected sockets. */
export interface Target {
    /** IPv4 or IPv6, no name. */
    address: string
    /** The UDP port. */
    port: number
}

/** Says whether messages are really sent now. */
export interface Sender {
    readonly fd: number
    readonly warming: boolean
}

/**
 * A prepared message: patch its fields, then send() it, as a whole or not at all. The memory is
 * JavaScript's own, and what it holds when send() is called is sent; it may be changed at once.
 */
export class Template<F extends string = string> {
    /** The message as it would be sent now. */
    readonly bytes: Uint8Array
    /** The same memory. */
    readonly view: DataView
    /** One function for each field: template.set.price(42). */
    readonly set: Readonly<Record<F, (value: number) => void>>
    #sender: Sender
    #number: number

    constructor(sender: Sender, message: Uint8Array, fields: Record<F, Field>, to?: Target) {
        if (!(message instanceof Uint8Array))
            throw invalidType('message', 'an instance of Uint8Array', message)
        const memory = new ArrayBuffer(message.length)
        // The addon keeps a pointer to it.
        markAsUntransferable(memory)
        this.bytes = new Uint8Array(memory)
        this.bytes.set(message)
        const view = new DataView(memory)
        this.view = view
        const set = {} as Record<F, (value: number) => void>
        for (const [name, { at, type }] of Object.entries(fields) as [F, Field][]) {
            const write = writers[type]
            if (!write)
                throw invalidType(`fields.${name}.type`, `one of ${Object.keys(writers).join(', ')}`, type)
            if (!Number.isInteger(at) || at < 0 || at + sizeOf(type) > message.length)
                throw outOfRange(`fields.${name}.at`, `within the message of ${message.length} bytes`, at)
            set[name] = (value) => write(view, at, value)
        }
        this.set = set
        this.#sender = sender
        this.#number = native.templateOpen(sender.fd, this.bytes, to?.address, to?.port)
        if (this.#number < 0) throw errnoException(this.#number, 'template')
    }

    /**
     * False: there is no room in the socket's send buffer now, and nothing was sent. `more`: the next message
     * follows at once; it goes out with that one.
     */
    send(more = false): boolean {
        const result = this.#sender.warming
            ? native.templateWarm(this.#number)
            : native.templateSend(this.#number, more ? MSG_MORE : 0)
        if (result >= 0) return true
        if (result === -EAGAIN) return false
        throw errnoException(result, 'send')
    }

    /** Gives its place in the addon back; it cannot be sent any more. */
    close(): void {
        native.templateClose(this.#number)
        this.#number = -1
    }
}
