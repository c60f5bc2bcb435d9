// SPDX-License-Identifier: Apache-2.0
// Text written as bytes, without a string for any of it: long tables are millions of words.

export const BLANK = 32
const ZERO = 48

export const bytesOf = (text: string): Uint8Array => Buffer.from(text)

/** Writes `text` at `at`; gives where it ends. */
export function put(into: Buffer, at: number, text: Uint8Array): number {
    for (let i = 0; i < text.length; i++) into[at++] = text[i]!
    return at
}

/** `digits`: at least so many. */
function putDigits(into: Buffer, at: number, value: number, digits: number): number {
    let count = digits
    for (let limit = 10 ** digits; limit <= value; limit *= 10) count++
    let rest = value | 0
    for (let i = at + count - 1; i >= at; i--) {
        const tenth = (rest / 10) | 0
        into[i] = ZERO + rest - tenth * 10
        rest = tenth
    }
    return at + count
}

export function putNumber(into: Buffer, at: number, value: number): number {
    if (value >= 0 && value < 1e9) return putDigits(into, at, value, 1)
    if (!(value >= 0 && value < 1e18 && Number.isSafeInteger(value)))
        return put(into, at, bytesOf(`${value}`))
    const high = Math.floor(value / 1e9)
    return putDigits(into, putDigits(into, at, high, 1), value - high * 1e9, 9)
}
