// SPDX-License-Identifier: Apache-2.0
// Threads that want to run, and for which the kernel has no core.

import type { SocketStats } from '../stats/index.js'
import type { Finding } from './finding.js'
import { textOf } from './machine.js'
import { short } from './text.js'

/** Of one thread, in each second. */
export interface Wait {
    /** How often its core was taken from it. */
    preempted: number
    /** How long it stood in a core's queue. */
    ms: number
}
export type Waits = Map<number, Wait>

const MOST = 64
const MUCH_MS = 20

function lookAt(pid: number, thread: number): Wait {
    const folder = `/proc/${pid}/task/${thread}`
    const switches = textOf(`${folder}/status`)?.match(/^nonvoluntary_ctxt_switches:\s*(\d+)/m)?.[1]
    // Time that it ran, time that it waited (ns), times (Documentation/scheduler/sched-stats.rst).
    const waited = textOf(`${folder}/schedstat`)?.split(' ')[1]
    return { preempted: Number(switches ?? 0), ms: Number(waited ?? 0) / 1e6 }
}

/** Begins to watch; what it gives tells how it was until then. */
export function heldUp(pid: number, threads: Iterable<number>): () => Waits {
    const watched = [...threads].slice(0, MOST)
    const begin = performance.now()
    const before = watched.map((thread) => lookAt(pid, thread))
    return () => {
        const time = (performance.now() - begin) / 1000
        return new Map(
            watched.map((thread, i) => {
                const now = lookAt(pid, thread)
                const { preempted, ms } = before[i]!
                return [thread, { preempted: (now.preempted - preempted) / time, ms: (now.ms - ms) / time }]
            }),
        )
    }
}

/** undefined: it does not wait so long that anybody would notice. */
export function waitText(wait: Wait | undefined): string | undefined {
    if (!wait || (wait.ms <= MUCH_MS && wait.preempted <= 20)) return undefined
    const { ms, preempted } = wait
    return `its thread waits ${Math.round(ms)} ms of each second for a core, and loses it ${short(Math.round(preempted))} times`
}

/** The application's: those that made or accepted the sockets. */
export function ofThreads(sockets: SocketStats[], waited: Waits): Finding[] {
    return [...new Set(sockets.map(({ owner }) => Number(owner)))].flatMap((thread): Finding[] => {
        const wait = waited.get(thread)
        if (!wait || wait.ms <= MUCH_MS) return []
        return [
            {
                cause: 'shared-core',
                about: `thread ${thread}`,
                what: `the application waits ${Math.round(wait.ms)} ms of each second for a core, with its sockets unread`,
                remedy: 'who runs there: ps -eLo psr,pcpu,pid,comm --sort=-pcpu; taskset, or one stack less (stack.cores)',
            },
        ]
    })
}
