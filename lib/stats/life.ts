// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'

/** When the process with this pid started, in clock ticks since boot; undefined: there is none. */
function startTicksOf(pid: number): bigint | undefined {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        // The second field is the program's name, which may hold anything.
        return BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!)
    } catch {
        return undefined
    }
}

/** Whether the process that began then still runs (its pid may be another's by now). */
export const isAlive = (pid: number, startTicks: bigint) => startTicksOf(pid) === startTicks
