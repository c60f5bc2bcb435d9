// SPDX-License-Identifier: Apache-2.0
// Addresses as the addon leaves them in the shared words (native/node/address.h), made into text when
// somebody asks.

import { words } from './native.js'

const FAMILY = 1
const PORT = 2
const SCOPE = 3
const ADDRESS = 4

/** One end of a connection, or of a datagram. */
export interface Address {
    /** In words, IPv6 as RFC 5952 writes it; with `%` and the interface's number where it is link-local. */
    address: string
    /** Of the address. */
    family: 'IPv4' | 'IPv6'
    /** Of TCP or UDP. */
    port: number
}

const bytes = new Uint8Array(words.buffer, ADDRESS * 4, 16)

function textOfIPv4(at: number): string {
    return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as "::". */
function textOfIPv6(): string {
    const groups: number[] = []
    for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number))
    if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
        return `::ffff:${textOfIPv4(12)}`
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

let lastWord = -1
let lastText = ''

/** The address in the shared words; undefined if there is none. */
export function addressInWords(): Address | undefined {
    const port = words[PORT] as number
    if (words[FAMILY] === 4) {
        // Datagrams come in runs from one sender: its text is made once.
        const word = words[ADDRESS] as number
        if (word !== lastWord || lastText === '') {
            lastWord = word
            lastText = textOfIPv4(0)
        }
        return { address: lastText, family: 'IPv4', port }
    }
    if (words[FAMILY] !== 6) return undefined
    const scope = words[SCOPE] as number
    const local = bytes[0] === 0xfe && ((bytes[1] as number) & 0xc0) === 0x80
    return { address: local && scope ? `${textOfIPv6()}%${scope}` : textOfIPv6(), family: 'IPv6', port }
}
