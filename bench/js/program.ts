// SPDX-License-Identifier: Apache-2.0
// What the programs of this folder share: a bound on their life, histograms, the line that tells a result.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const LIFE_LIMIT_MS = 60_000
/** Of rates: what so many messages took is one value of the histogram. */
export const BLOCK_MESSAGES = 4096

/** Of a program with two ends: server|client MODULE ADDRESS PORT SECONDS WARMUP. */
export function command() {
    const [role, moduleName, address, port, seconds, warmup] = process.argv.slice(2) as [
        string,
        string,
        string,
        ...string[],
    ]
    return { role, moduleName, address, port: Number(port), seconds: Number(seconds), warmup: Number(warmup) }
}

export function limitLife(): void {
    setTimeout(() => {
        process.stderr.write('the time limit was reached\n')
        process.exit(3)
    }, LIFE_LIMIT_MS).unref()
}

/** Of nanoseconds; three digits are what the report prints. */
export const newHistogram = (): RecordableHistogram =>
    createHistogram({ lowest: 1, highest: 1e10, figures: 3 })

export const percentiles = (histogram: RecordableHistogram) => ({
    p50: histogram.percentile(50),
    p99: histogram.percentile(99),
    max: histogram.max,
    mean: histogram.mean,
})

export function tell(
    result: { side: string; bench: string; ops: number; elapsedNs: number; [more: string]: unknown },
    then?: () => void,
): void {
    const { elapsedNs, ...rest } = result
    const line = { ...rest, seconds: elapsedNs / 1e9, rate: (result.ops * 1e9) / elapsedNs }
    process.stdout.write(`${JSON.stringify(line)}\n`, then)
}
