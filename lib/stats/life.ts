// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'

/** Fields of /proc/<pid>/stat from the third on; undefined: there is no such process. */
function statOf(pid: number): string[] | undefined {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        // The second field is the program's name, which may hold anything.
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    } catch {
        return undefined
    }
}

/** Whether the process that began then still runs (its pid may be another's by now). */
export function isAlive(pid: number, startTicks: bigint): boolean {
    const ticks = statOf(pid)?.[19]
    return ticks !== undefined && BigInt(ticks) === startTicks
}

/** Whether it runs nothing at present: SIGSTOP, Ctrl-Z, or a debugger. */
export const isStopped = (pid: number) => /^[Tt]$/.test(statOf(pid)?.[0] ?? '')
