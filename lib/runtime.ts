// SPDX-License-Identifier: Apache-2.0
// The runtime is the process's: the first user starts it, with the options given or with those of the
// configuration file and the environment; every thread of JavaScript then uses it.

import { existsSync } from 'node:fs'
import { coded, EALREADY, invalidType } from './errors.js'
import { native } from './native.js'
import { type Options, settingsOf } from './options.js'
import { poller, stopPoller } from './poller.js'
import { ownPorts } from './ports-owner.js'
import { readSegment, type SegmentStats } from './stats/index.js'

const RUNNING = 1

function configured(): boolean {
    return existsSync(process.env.PRONGHORN_CONFIG ?? 'pronghorn.json')
}

/** Why the first start failed: DPDK was running by then, which can be started once only. */
let failure = ''

function start(options: Options): void {
    if (typeof options !== 'object') throw invalidType('options', 'of type object', options)
    const settings = settingsOf(options)
    // Nobody in JavaScript hands our descriptors to select(): without a word from the user they cost no
    // kernel descriptor each. (Options win over the file, so a file keeps its say by being there.)
    const numbers = settings.some((text, i) => i % 2 === 0 && text === 'fd.numbers')
    if (!numbers && process.env.PRONGHORN_FD_NUMBERS === undefined && !configured())
        settings.push('fd.numbers', 'virtual')
    const result = native.init(settings)
    if (result === 0) ownPorts()
    if (result === 0 || (result === -EALREADY && native.state() === RUNNING)) return
    const why = result === -EALREADY ? '' : native.error()
    failure ||= why
    throw coded(
        Error,
        'ERR_PRONGHORN_START',
        why
            ? `the runtime cannot start: ${why}`
            : failure
              ? `the runtime cannot be started any more in this process; its first start failed: ${failure}`
              : 'the runtime was stopped; it cannot be started twice in one process',
    )
}

/** Starts with the defaults unless somebody already did; called by everything that opens a socket. */
export function ensureRuntime(): void {
    if (native.state() !== RUNNING) start({})
}

/** The stacks of this process, for all its threads. */
export const runtime = {
    /**
     * Starts the stacks. Without options it does nothing when they run; with options it is an error
     * then, since they could not be obeyed. Throws with every line that says what to mend.
     */
    start(options?: Options): void {
        if (native.state() !== RUNNING) start(options ?? {})
        else if (options && settingsOf(options).length > 0)
            throw coded(
                Error,
                'ERR_PRONGHORN_RUNNING',
                'the runtime runs already: give its options before the first socket',
            )
    },

    /** Ends all connections and gives everything back; also done when the process ends. For good. */
    stop(): void {
        native.stop()
        stopPoller()
    },

    /**
     * For programs that own their loop: turns inline stacks and runs the listeners of what is ready,
     * before it returns. How many sockets had events.
     */
    poll(): number {
        return poller().poll()
    },

    /**
     * The counters of this process, as `pronghorn/stats` reads them of any: copied now from shared memory, which every
     * stack writes after its turn. Durations are by CLOCK_MONOTONIC (that of `process.hrtime()`), `startedAt` by the
     * clock of the day. Throws ENOENT while the runtime does not run, and with `stats.enabled = off`.
     */
    stats(): SegmentStats {
        return readSegment(process.pid)
    },

    /** Whether the stacks run: started, and not stopped. */
    get running(): boolean {
        return native.state() === RUNNING
    },

    /** "0.1.0 (DPDK ..., lwIP ...)" */
    get version(): string {
        return native.version()
    },
}
