// SPDX-License-Identifier: Apache-2.0
// What explain finds is made of.

import type { SegmentStats } from '../stats/index.js'

/** What can be the matter; scripts go by these words. */
export type Cause =
    | 'accept-queue'
    | 'caretaker'
    | 'checksums'
    | 'cold-sends'
    | 'copies'
    | 'delayed-ack'
    | 'drops'
    | 'faults'
    | 'few-buffers'
    | 'full-ring'
    | 'hops'
    | 'hung'
    | 'kernel'
    | 'loss'
    | 'nagle'
    | 'nodes'
    | 'offloads'
    | 'shared-core'
    | 'sleeps'
    | 'slow-reader'
    | 'small-window'

export interface Finding {
    cause: Cause
    about: string
    what: string
    remedy: string
}

/** What the kernel knows of threads and cores; a test may know others. */
export interface Cores {
    /** Where a thread ran last. */
    ofThread: (pid: number, thread: number) => number | undefined
    nodeOf: (core: number) => number
    count: number
}

export const setting = (stats: SegmentStats, key: string) =>
    stats.facts.settings.find((row) => row.key === key)?.value

export const dropCause = (name: string): Cause =>
    name.includes('checksum') ? 'checksums' : /ring_full|rx_device/.test(name) ? 'full-ring' : 'drops'
