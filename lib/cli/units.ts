// SPDX-License-Identifier: Apache-2.0
// Numbers with units as operators write them.

import { InvalidArgumentError } from 'commander'

function scaled(text: string, units: Record<string, number>, what: string): number {
    const found = text.match(/^(\d+(?:\.\d+)?)\s*([a-zA-Z%]*)$/)
    const factor = found ? units[found[2]!] : undefined
    if (!found || factor === undefined) throw new InvalidArgumentError(`give ${what}`)
    return Math.round(Number(found[1]) * factor)
}

/** "250us", "10ms", "1.5s" -> microseconds */
export const duration = (text: string) =>
    scaled(text, { us: 1, ms: 1000, s: 1_000_000 }, 'a time with its unit: 250us, 10ms, 1s')

/** "1%", "0.1%", "50ppm" -> of a million */
export function share(text: string): number {
    const ppm = scaled(text, { '%': 10_000, ppm: 1 }, 'a share: 1%, 0.05%, 50ppm')
    if (ppm > 1_000_000) throw new InvalidArgumentError('more than all is not possible')
    return ppm
}

/** "10mbit", "1gbit" -> bits per second */
export const bitrate = (text: string) =>
    scaled(text, { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 }, 'a rate: 64kbit, 10mbit, 1gbit')

/** "500", "64K", "10M", "1G" -> bytes */
export const bytes = (text: string) =>
    scaled(text, { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }, 'a size: 500K, 64M, 1G')

export function whole(text: string): number {
    if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('give a whole number')
    return Number(text)
}
