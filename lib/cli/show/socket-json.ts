// SPDX-License-Identifier: Apache-2.0
// The socket table as JSON. A hundred thousand sockets are three million members: they are written as
// bytes, without a string or an object for any of them.

import type { SocketMember, SocketTable } from '../../stats/sockets.js'
import { remembered } from '../text.js'
import { BLANK, bytesOf, put, putNumber } from './bytes.js'

const PIECE_BYTES = 1 << 20
/** More than a member's value ever needs: 32 characters of six bytes, or a number. */
const VALUE_BYTES_MAX = 256
/** The chosen rows as an array, one on each line; on a single line with `indent` 0. */
export function* socketsJson(
    table: SocketTable,
    chosen: number[],
    indent: number,
): Generator<string | Uint8Array> {
    const textOf = remembered((text: string) => bytesOf(JSON.stringify(text)))
    const members = table.members.map(({ name, read }: SocketMember, i) => ({
        read,
        head: bytesOf(`${i === 0 ? '' : indent ? ', ' : ','}${JSON.stringify(name)}:${indent ? ' ' : ''}`),
    }))
    const rowBytesMax = members.reduce(
        (sum, { head }) => sum + head.length + VALUE_BYTES_MAX,
        16 + 2 * indent,
    )
    let into = Buffer.allocUnsafe(Math.max(PIECE_BYTES, 2 * rowBytesMax))
    let at = 0

    yield '['
    for (let n = 0; n < chosen.length; n++) {
        if (at + rowBytesMax > into.length) {
            yield into.subarray(0, at)
            into = Buffer.allocUnsafe(into.length) // the one before may still be on its way
            at = 0
        }
        table.at(chosen[n]!)
        if (n > 0) into[at++] = 44
        if (indent) {
            into[at++] = 10
            for (let i = 0; i < 2 * indent; i++) into[at++] = BLANK
        }
        into[at++] = 123
        for (let m = 0; m < members.length; m++) {
            const { head, read } = members[m]!
            at = put(into, at, head)
            const value = read()
            at = typeof value === 'number' ? putNumber(into, at, value) : put(into, at, textOf(value))
        }
        into[at++] = 125
    }
    yield into.subarray(0, at)
    yield chosen.length > 0 && indent ? `\n${' '.repeat(indent)}]` : ']'
}
