// SPDX-License-Identifier: Apache-2.0
// Distributions as an SVG: how long (upwards, logarithmic) against how many of all (to the right, in
// nines), so that the tail is as wide as the middle.

import type { Histogram } from '../stats/index.js'
import { nanos } from './text.js'

const WIDTH = 900
const HEIGHT = 480
const LEFT = 80
const BOTTOM = 50
const COLOURS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#8c564b']
const NINES = [0, 0.5, 0.9, 0.99, 0.999, 0.9999]
const LAST = 4.5

export interface Series {
    name: string
    histogram: Histogram
}

const escaped = (text: string) =>
    text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)
const xOf = (share: number) =>
    LEFT + (Math.min(LAST, -Math.log10(Math.max(1e-9, 1 - share))) / LAST) * (WIDTH - LEFT - 20)

export function plot(title: string, series: Series[]): string {
    const shown = series.filter(({ histogram }) => histogram.count > 0)
    const most = Math.max(1000, ...shown.map(({ histogram }) => histogram.max))
    const least = Math.max(
        1,
        Math.min(...shown.map(({ histogram }) => histogram.buckets[0]!.low || 1), most / 10),
    )
    const low = Math.floor(Math.log10(least))
    const high = Math.ceil(Math.log10(most))
    const yOf = (ns: number) =>
        HEIGHT -
        BOTTOM -
        ((Math.log10(Math.max(ns, 10 ** low)) - low) / (high - low)) * (HEIGHT - BOTTOM - 40)
    const parts: string[] = []
    const text = (x: number, y: number, what: string, anchor = 'middle') =>
        parts.push(
            `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(what)}</text>`,
        )
    const line = (x1: number, y1: number, x2: number, y2: number) =>
        parts.push(
            `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ccc"/>`,
        )
    for (let power = low; power <= high; power++) {
        line(LEFT, yOf(10 ** power), WIDTH - 20, yOf(10 ** power))
        text(LEFT - 8, yOf(10 ** power) + 4, nanos(10 ** power), 'end')
    }
    for (const share of NINES) {
        line(xOf(share), 40, xOf(share), HEIGHT - BOTTOM)
        text(xOf(share), HEIGHT - BOTTOM + 18, share === 0 ? '0' : `${Number((share * 100).toFixed(2))}%`)
    }
    shown.forEach(({ name, histogram }, i) => {
        const colour = COLOURS[i % COLOURS.length]
        let below = 0
        const points = histogram.buckets.map((bucket) => {
            below += bucket.count
            return `${xOf(below / histogram.count).toFixed(1)},${yOf(Math.min(bucket.high, histogram.max)).toFixed(1)}`
        })
        parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`)
        parts.push(`<rect x="${LEFT + 12}" y="${48 + i * 18}" width="12" height="12" fill="${colour}"/>`)
        text(LEFT + 30, 58 + i * 18, `${name} (${histogram.count})`, 'start')
    })
    text(WIDTH / 2, 24, title)
    text(WIDTH / 2, HEIGHT - 8, 'share of all')
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>${parts.join('')}</svg>\n`
}
