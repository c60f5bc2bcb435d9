// SPDX-License-Identifier: Apache-2.0
// Text for people: aligned columns, numbers with units, ages.

import pc from 'picocolors'

let colours = pc.createColors(false)

/** On a terminal, or as asked for (--color, --no-color, NO_COLOR, FORCE_COLOR). */
export function useColour(wanted: boolean | undefined): void {
    colours = pc.createColors(wanted ?? (pc.isColorSupported && process.stdout.isTTY === true))
}

export const bold = (text: string) => colours.bold(text)
export const dim = (text: string) => colours.dim(text)
export const red = (text: string) => colours.red(text)
export const yellow = (text: string) => colours.yellow(text)
export const green = (text: string) => colours.green(text)
export const cyan = (text: string) => colours.cyan(text)

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences are ours
const ESCAPES = /\u001b\[[0-9;]*m/g
/** (Most texts bear no colour: a table of 100,000 rows asks a million times.) */
export const widthOf = (text: string) =>
    text.includes('\u001b') ? text.replace(ESCAPES, '').length : text.length

export interface Column<T> {
    head: string
    value: (row: T) => string | number
    /** Numbers stand at the right end of their column. */
    right?: boolean
    paint?: (text: string, row: T) => string
}

/**
 * Columns as wide as their contents, two blanks between them, a head in bold; line by line. Of very
 * many rows only one is looked at at a time (twice: for the widths, and for its line).
 */
export function* tableLines<T>(
    columns: Column<T>[],
    count: number,
    rowAt: (index: number) => T,
): Generator<string> {
    const widths = columns.map(({ head }) => head.length)
    for (let at = 0; at < count; at++) {
        const row = rowAt(at)
        for (let i = 0; i < columns.length; i++) {
            const width = widthOf(`${columns[i]!.value(row)}`)
            if (width > widths[i]!) widths[i] = width
        }
    }
    const lineOf = (
        text: (column: Column<T>) => string,
        paint: (text: string, column: Column<T>) => string,
    ) => {
        let line = ''
        for (let i = 0; i < columns.length; i++) {
            const column = columns[i]!
            const plain = text(column)
            const painted = paint(plain, column)
            const missing = widths[i]! - widthOf(plain)
            const blanks = missing > 0 ? ' '.repeat(missing) : ''
            if (i > 0) line += '  '
            if (column.right) line += blanks + painted
            else line += i === columns.length - 1 ? painted : painted + blanks
        }
        return line.trimEnd()
    }
    yield lineOf(({ head }) => head, bold)
    for (let at = 0; at < count; at++) {
        const row = rowAt(at)
        yield lineOf(
            ({ value }) => `${value(row)}`,
            (text, { paint }) => paint?.(text, row) ?? text,
        )
    }
}

export const table = <T>(columns: Column<T>[], rows: T[]): string =>
    [...tableLines(columns, rows.length, (index) => rows[index]!)].join('\n')

/** Remembers what it gave: the same few numbers come again and again in a long table. */
export function remembered<A, T>(make: (of: A) => T): (of: A) => T {
    const made = new Map<A, T>()
    return (of) => {
        let value = made.get(of)
        if (value === undefined) {
            if (made.size > 100_000) made.clear()
            value = make(of)
            made.set(of, value)
        }
        return value
    }
}

/** 1234567 -> "1.23M"; steps of 1000. */
export function short(value: number, unit = ''): string {
    if (!Number.isFinite(value)) return '-'
    const steps = ['', 'k', 'M', 'G', 'T', 'P']
    let step = 0
    let scaled = value
    while (Math.abs(scaled) >= 1000 && step < steps.length - 1) {
        scaled /= 1000
        step++
    }
    const digits = step === 0 ? (Number.isInteger(value) ? 0 : 1) : scaled < 10 ? 2 : scaled < 100 ? 1 : 0
    return `${scaled.toFixed(digits)}${steps[step]}${unit}`
}

const grouped = new Intl.NumberFormat('en')
export const whole = (value: number) => grouped.format(value)

/** Microseconds with a unit that suits: "850us", "1.2ms", "3.4s". */
export function micros(us: number): string {
    if (us < 1000) return `${Number(us.toFixed(us < 10 ? 1 : 0))}us`
    if (us < 1_000_000) return `${Number((us / 1000).toFixed(us < 10_000 ? 2 : 1))}ms`
    return `${Number((us / 1_000_000).toFixed(1))}s`
}

export const nanos = (ns: number) => (ns < 1000 ? `${Math.round(ns)}ns` : micros(ns / 1000))

/** "4s", "2m05s", "3h12m", "5d04h". */
export function age(ms: number): string {
    const s = Math.max(0, Math.floor(ms / 1000))
    const two = (n: number) => `${n}`.padStart(2, '0')
    if (s < 60) return `${s}s`
    if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`
    if (s < 86400) return `${Math.floor(s / 3600)}h${two(Math.floor(s / 60) % 60)}m`
    return `${Math.floor(s / 86400)}d${two(Math.floor(s / 3600) % 24)}h`
}
