// SPDX-License-Identifier: Apache-2.0
// Addresses as the addon leaves them in the shared words (native/node/address.h), made into text when
// somebody asks.

import { words } from './native.js'

const FAMILY = 1
/** From where the family stands. */
const PORT = 1
const SCOPE = 2
const ADDRESS = 3

/** One end of a connection, or of a datagram. */
export interface Address {
    /** In words, IPv6 as RFC 5952 writes it; with `%` and the interface's number where it is link-local. */
    address: string
    /** Of the address. */
    family: 'IPv4' | 'IPv6'
    /** Of TCP or UDP. */
    port: number
}

function textOfIPv4(bytes: Uint8Array, at: number): string {
    return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as "::". */
function textOfIPv6(bytes: Uint8Array): string {
    const groups: number[] = []
    for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number))
    if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
        return `::ffff:${textOfIPv4(bytes, 12)}`
    let start = -1
    let length = 1
    for (let i = 0; i < 8; i++) {
        let end = i
        while (end < 8 && groups[end] === 0) end++
        if (end - i > length) {
            start = i
            length = end - i
        }
        if (end > i) i = end
    }
    const text = (from: number, to: number) =>
        groups
            .slice(from, to)
            .map((group) => group.toString(16))
            .join(':')
    return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`
}

/** Datagrams come in runs from one sender: its text is made once. */
class Last {
    #words = new Int32Array(5)
    #text = ''

    /** Of the address in `row` whose family stands at `at`, which is 6 (else 4). */
    text(row: Int32Array, at: number, six: boolean): string {
        const last = this.#words
        if (last[0] === row[at + ADDRESS] && this.#text !== '' && (!six || this.#same(row, at)))
            return this.#text
        for (let i = 0; i < 4; i++) last[i] = row[at + ADDRESS + i] as number
        last[4] = row[at + SCOPE] as number
        const bytes = new Uint8Array(row.buffer, row.byteOffset + (at + ADDRESS) * 4, 16)
        this.#text = six ? withScope(bytes, last[4]) : textOfIPv4(bytes, 0)
        return this.#text
    }

    #same(row: Int32Array, at: number): boolean {
        const last = this.#words
        for (let i = 1; i < 4; i++) if (last[i] !== row[at + ADDRESS + i]) return false
        return last[4] === row[at + SCOPE]
    }
}

function withScope(bytes: Uint8Array, scope: number): string {
    const local = bytes[0] === 0xfe && ((bytes[1] as number) & 0xc0) === 0x80
    return local && scope ? `${textOfIPv6(bytes)}%${scope}` : textOfIPv6(bytes)
}

const lastIPv4 = new Last()
const lastIPv6 = new Last()

/** The text of the address in `row` whose family stands at `at`; there is one. */
export function textInRow(row: Int32Array, at: number): string {
    return row[at] === 4 ? lastIPv4.text(row, at, false) : lastIPv6.text(row, at, true)
}

/** The address in the shared words; undefined if there is none. */
export function addressInWords(): Address | undefined {
    const family = words[FAMILY]
    if (family !== 4 && family !== 6) return undefined
    return {
        address: textInRow(words, FAMILY),
        family: family === 4 ? 'IPv4' : 'IPv6',
        port: words[FAMILY + PORT] as number,
    }
}
