// SPDX-License-Identifier: Apache-2.0
// Is anybody else using this machine? A measurement beside a busy neighbour is still printed, but
// says so.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface CpuTimes {
    busy: number
    steal: number
    total: number
}

/** The first line of /proc/stat, in ticks. Steal is time the host took: counted apart. */
export function parseCpuTimes(stat: string): CpuTimes {
    const line = stat.split('\n').find((text) => text.startsWith('cpu '))
    if (!line) throw new Error('/proc/stat has no line "cpu"')
    const [user, nice, system, idle, iowait, irq, softirq, steal] = line
        .trim()
        .split(/\s+/)
        .slice(1)
        .map(Number)
    const busy = user! + nice! + system! + irq! + softirq!
    return { busy, steal: steal ?? 0, total: busy + idle! + iowait! + (steal ?? 0) }
}

export interface Disturbance {
    /** Cores that were busy while we measured nothing. */
    busyCores: number
    /** Share of all time that the host took away. */
    steal: number
}

function difference(from: CpuTimes, to: CpuTimes, cores: number): Disturbance {
    const total = Math.max(1, to.total - from.total)
    return { busyCores: ((to.busy - from.busy) / total) * cores, steal: (to.steal - from.steal) / total }
}

export class QuietWatch {
    readonly #cores: number
    readonly #seen: Disturbance[] = []
    #since: CpuTimes | null = null

    constructor(cores: number) {
        this.#cores = cores
    }

    static #read(): CpuTimes {
        return parseCpuTimes(readFileSync('/proc/stat', 'utf8'))
    }

    /** Looks at the machine for a moment while nothing of ours runs. */
    async look(ms: number): Promise<void> {
        const before = QuietWatch.#read()
        if (this.#since)
            this.#seen.push({ busyCores: 0, steal: difference(this.#since, before, this.#cores).steal })
        await sleep(ms)
        const after = QuietWatch.#read()
        this.#seen.push(difference(before, after, this.#cores))
        this.#since = after
    }

    /** One phrase, or null when nobody disturbed. */
    verdict(): string | null {
        const busy = Math.max(0, ...this.#seen.map((one) => one.busyCores))
        const steal = Math.max(0, ...this.#seen.map((one) => one.steal))
        const parts = []
        if (busy > 0.15) parts.push(`up to ${busy.toFixed(1)} cores busy with other work`)
        if (steal > 0.01) parts.push(`${(steal * 100).toFixed(0)} % stolen by the host`)
        return parts.length ? parts.join(', ') : null
    }
}
