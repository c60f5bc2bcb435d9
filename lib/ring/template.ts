// SPDX-License-Identifier: Apache-2.0

import { markAsUntransferable } from 'node:worker_threads'
import { MSG_MORE } from '../constants.js'
import {
    checkNames,
    coded,
    EAGAIN,
    errnoException,
    invalidType,
    invalidValue,
    outOfRange,
} from '../errors.js'
import { native } from '../native.js'

type Write = (view: DataView, at: number, value: number) => void
type WriteBig = (view: DataView, at: number, value: bigint) => void

/** How a type of field is written, and what fits into it; `big` for what may need more than 2^53. */
interface Writer {
    write: Write
    low: number
    high: number
    big?: WriteBig
}

const HIGH_WORD = 0x1_0000_0000
const whole = (low: number, high: number, write: Write): Writer => ({ write, low, high })
const long = (little: boolean, signed: boolean): Writer => {
    const [first, second] = little ? [0, 4] : [4, 0]
    return {
        low: signed ? Number.MIN_SAFE_INTEGER : 0,
        high: Number.MAX_SAFE_INTEGER,
        write(view, at, value) {
            view.setUint32(at + first, value >>> 0, little)
            view.setUint32(at + second, Math.floor(value / HIGH_WORD), little)
        },
        big: signed
            ? (view, at, value) => view.setBigInt64(at, value, little)
            : (view, at, value) => view.setBigUint64(at, value, little),
    }
}
/** Any number: a fraction is what they are for. */
const real = (write: Write): Writer => ({ write, low: Number.NaN, high: Number.NaN })

const writers = {
    u8: whole(0, 0xff, (view, at, value) => view.setUint8(at, value)),
    i8: whole(-0x80, 0x7f, (view, at, value) => view.setInt8(at, value)),
    u16: whole(0, 0xffff, (view, at, value) => view.setUint16(at, value)),
    i16: whole(-0x8000, 0x7fff, (view, at, value) => view.setInt16(at, value)),
    u32: whole(0, 0xffff_ffff, (view, at, value) => view.setUint32(at, value)),
    i32: whole(-0x8000_0000, 0x7fff_ffff, (view, at, value) => view.setInt32(at, value)),
    u64: long(false, false),
    i64: long(false, true),
    f64: real((view, at, value) => view.setFloat64(at, value)),
    u16le: whole(0, 0xffff, (view, at, value) => view.setUint16(at, value, true)),
    i16le: whole(-0x8000, 0x7fff, (view, at, value) => view.setInt16(at, value, true)),
    u32le: whole(0, 0xffff_ffff, (view, at, value) => view.setUint32(at, value, true)),
    i32le: whole(-0x8000_0000, 0x7fff_ffff, (view, at, value) => view.setInt32(at, value, true)),
    u64le: long(true, false),
    i64le: long(true, true),
    f64le: real((view, at, value) => view.setFloat64(at, value, true)),
}

/** One field's function. What does not fit is an error: an order of another price than was meant must not leave. */
function setter(name: string, writer: Writer, view: DataView, at: number): (value: number | bigint) => void {
    const { write, low, high, big } = writer
    if (Number.isNaN(low))
        return (value) => {
            if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
            write(view, at, value)
        }
    return (value) => {
        if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high)
            write(view, at, value as number)
        else if (typeof value === 'bigint' && big !== undefined && fits64(value, low < 0))
            big(view, at, value)
        else if (typeof value !== 'number' && (typeof value !== 'bigint' || big === undefined))
            throw invalidType(name, big ? 'of type number or bigint' : 'of type number', value)
        else throw outOfRange(name, rangeOf(writer), value)
    }
}

const fits64 = (value: bigint, signed: boolean) =>
    value === (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value))

const rangeOf = ({ low, high, big }: Writer) =>
    `an integer >= ${low} && <= ${high}${big ? ', or a bigint of 64 bits' : ''}`

/** In bytes. */
const sizeOf = (type: FieldType) => Number(/\d+/.exec(type)) / 8

/**
 * Big-endian, as the network has it, unless it ends in "le". Integers of 64 bits are numbers up to 2^53, or bigints.
 */
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

/** A template lies in one reservation of the socket's send memory, whatever the size of its send buffer. */
export function tooLong(bytes: number, most: number, kind: 'reservation' | 'template'): Error {
    return coded(
        RangeError,
        'ERR_PRONGHORN_RING',
        `${bytes} bytes are more than one ${kind} has room for, ${most}: make several of them, or use the socket's own ` +
            'write() or send()',
    )
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
    /**
     * One function for each field: template.set.price(42). What does not fit (a fraction, too large, no number)
     * throws, and the field stays as it was. Text is written into `bytes`.
     */
    readonly set: Readonly<Record<F, (value: number | bigint) => void>>
    #sender: Sender
    #number: number

    constructor(sender: Sender, message: Uint8Array, fields: Record<F, Field>, to?: Target) {
        if (!(message instanceof Uint8Array))
            throw invalidType('message', 'an instance of Uint8Array', message)
        if (message.length === 0) throw invalidValue('message', message, 'must not be empty')
        const most = native.sendReserveMax(sender.fd)
        if (most < 0) throw errnoException(most, 'template')
        if (message.length > most) throw tooLong(message.length, most, 'template')
        const memory = new ArrayBuffer(message.length)
        // The addon keeps a pointer to it.
        markAsUntransferable(memory)
        this.bytes = new Uint8Array(memory)
        this.bytes.set(message)
        const view = new DataView(memory)
        this.view = view
        const set = {} as Record<F, (value: number | bigint) => void>
        if (typeof fields !== 'object' || fields === null)
            throw invalidType('fields', 'of type object', fields)
        for (const [name, field] of Object.entries(fields) as [F, Field][]) {
            if (typeof field !== 'object' || field === null)
                throw invalidType(`fields.${name}`, 'of type object', field)
            checkNames(`fields.${name}`, field, ['at', 'type'])
            const { at, type } = field
            const writer = writers[type]
            if (!writer)
                throw invalidType(`fields.${name}.type`, `one of ${Object.keys(writers).join(', ')}`, type)
            if (!Number.isInteger(at) || at < 0 || at + sizeOf(type) > message.length)
                throw outOfRange(`fields.${name}.at`, `within the message of ${message.length} bytes`, at)
            set[name] = setter(`set.${name}`, writer, view, at)
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
        // The addon reads it by its address.
        if (this.bytes.length === 0)
            throw coded(Error, 'ERR_PRONGHORN_RING', "the template's bytes were detached")
        const result = this.#sender.warming
            ? native.templateWarm(this.#number)
            : native.templateSend(this.#number, more ? MSG_MORE : 0)
        if (result >= 0) return true
        if (result === -EAGAIN) return false
        if (this.#number < 0) throw coded(Error, 'ERR_PRONGHORN_RING', 'the template is closed')
        throw errnoException(result, 'send')
    }

    /** Gives its place in the addon back; it cannot be sent any more. */
    close(): void {
        native.templateClose(this.#number)
        this.#number = -1
    }
}
