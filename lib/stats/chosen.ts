// SPDX-License-Identifier: Apache-2.0
// Sockets that are measured by themselves (pronghorn latency): sets of histograms in the segment, each
// behind a copy of its socket's row.

import { readSync } from 'node:fs'
import { Histogram } from './histogram.js'
import type { Layout } from './layout.js'
import { isWhole, type SocketStats, socketReader } from './sockets.js'

/** A socket that is measured by itself, and what was measured. */
export interface ChosenStats {
    /** Its row when it was chosen; when it has ended, the last one. */
    socket: SocketStats
    /** By the names of docs/stats.md. */
    histograms: Record<string, Histogram>
}

const TRIES = 50

export function readChosen(fd: number, layout: Layout): ChosenStats[] {
    const { chosenOffset, chosenBytes, chosenMax, chosenFields, socketBytes } = layout
    if (chosenOffset === 0) return []
    const found: ChosenStats[] = []
    const socketOf = socketReader(layout)
    const set = Buffer.alloc(chosenBytes)
    const again = Buffer.alloc(socketBytes)
    for (let i = 0; i < chosenMax; i++) {
        const at = chosenOffset + i * chosenBytes
        // Most are free, and were never backed.
        if (readSync(fd, again, 0, socketBytes, at) < socketBytes) return found
        if (socketOf(again, 0).id === 0) continue
        for (let tries = 0; tries < TRIES; tries++) {
            if (readSync(fd, set, 0, chosenBytes, at) < chosenBytes) return found
            readSync(fd, again, 0, socketBytes, at)
            if (isWhole(set, again, 0)) break
        }
        const socket = socketOf(set, 0)
        if (socket.id === 0) continue
        found.push({
            socket,
            histograms: Object.fromEntries(
                chosenFields.map(({ name, offset, bytes, detail }) => [
                    name,
                    Histogram.from(set.subarray(offset, offset + bytes), detail),
                ]),
            ),
        })
    }
    return found
}
