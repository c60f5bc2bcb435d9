// SPDX-License-Identifier: Apache-2.0
// The line that -i adds below each socket.

import type { SocketTable } from '../../stats/sockets.js'
import { age, dim, micros, short, yellow } from '../text.js'
import { BLANK, bytesOf, put, putNumber } from './bytes.js'

const INDENT = 8
/** Of twenty words of at most 48 bytes each, colours included. */
export const INFO_BYTES_MAX = 2048

/** Without `print`: the number as it is. An empty text: nothing is said. */
type Detail = [label: string, field: string, print?: (value: number) => string]
const DETAILS: Detail[] = [
    ['rto', 'rto_us', micros],
    ['rtt', 'rtt_us', micros],
    ['mss', 'mss_bytes'],
    ['cwnd', 'cwnd_bytes'],
    // (As large as it can be: there was no loss yet.)
    ['ssthresh', 'ssthresh_bytes', (value) => (value < 0xfffffff ? `${value}` : '')],
    ['snd_wnd', 'send_window_bytes'],
    ['rcv_wnd', 'recv_window_bytes'],
    ['bytes_sent', 'tx_bytes', short],
    ['bytes_received', 'rx_bytes', short],
    ['segs_out', 'tx_packets', short],
    ['segs_in', 'rx_packets', short],
]
const TROUBLES: Detail[] = [
    ['retrans', 'retransmits'],
    ['ooo', 'out_of_order'],
    ['zero_windows', 'zero_windows'],
    ['nagle_holds', 'nagle_holds'],
    ['delayed_acks', 'delayed_acks'],
    ['drops', 'drops'],
]

type Word = (into: Buffer, at: number, value: number) => number

/** The number itself, between what stands before and behind it. */
function numberWord(label: string, paint: (word: string) => string): Word {
    const [before = '', behind = ''] = paint(`${label}:| `).split('|')
    const [head, tail] = [bytesOf(before), bytesOf(behind)]
    return (into, at, value) => put(into, putNumber(into, put(into, at, head), value), tail)
}

const SLOT_BITS = 12

/**
 * A word that is dear to make is kept for the next that has its number: one for each slot, so that a hundred
 * thousand different numbers neither grow a table nor wander through memory.
 */
function printedWord(label: string, print: (value: number) => string, paint: (word: string) => string): Word {
    const numbers = new Float64Array(1 << SLOT_BITS).fill(Number.NaN)
    const words: Uint8Array[] = []
    return (into, at, value) => {
        const slot = Math.imul(value | 0, 0x9e3779b1) >>> (32 - SLOT_BITS)
        if (numbers[slot] !== value) {
            const printed = print(value)
            numbers[slot] = value
            words[slot] = bytesOf(printed === '' ? '' : paint(`${label}:${printed} `))
        }
        return put(into, at, words[slot]!)
    }
}

/** What ss -i shows below each socket: only what is there. Gives where it ends in `into`. */
export function infoOf({ members }: SocketTable): (into: Buffer, at: number) => number {
    const readerOf = (field: string) => members.find(({ name }) => name === field)?.read ?? (() => 0)
    const now = Date.now()
    const wordsOf = (details: Detail[], paint: (word: string) => string) =>
        details.map(([label, field, print]) => ({
            label,
            read: readerOf(field),
            write: print ? printedWord(label, print, paint) : numberWord(label, paint),
        }))
    const created = readerOf('created_ms')
    const list = [
        ...wordsOf(DETAILS, String),
        ...wordsOf(TROUBLES, yellow),
        { label: 'stack', read: readerOf('stack'), write: numberWord('stack', String) },
        {
            label: 'age',
            // (Of whole seconds, so that few differ; one and more, for zero is a row without.)
            read: () =>
                Number(created()) > 0 ? 1 + Math.max(0, Math.floor((now - Number(created())) / 1000)) : 0,
            write: printedWord('age', (value) => age((value - 1) * 1000), String),
        },
    ]
    // (Of what is zero nothing is said, but of a closed window: that is what one looks for.)
    const saidAtZero = list.map(({ label }) => label === 'stack')
    const saidAtZeroConnected = list.map(({ label }) => /^(stack|(snd|rcv)_wnd)$/.test(label))
    const mss = readerOf('mss_bytes')
    const [open, close] = dim('|').split('|').map(bytesOf)
    return (into, start) => {
        let at = put(into, start, open!)
        for (let i = 0; i < INDENT; i++) into[at++] = BLANK
        const said = Number(mss()) === 0 ? saidAtZero : saidAtZeroConnected
        for (let i = 0; i < list.length; i++) {
            const value = Number(list[i]!.read())
            if (value > 0 || said[i]) at = list[i]!.write(into, at, value)
        }
        while (into[at - 1] === BLANK) at--
        return put(into, at, close!)
    }
}
