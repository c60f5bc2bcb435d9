// SPDX-License-Identifier: Apache-2.0
// Acknowledgements that went out late, and whether a peer can have waited for them.

import type { SocketStats } from '../stats/index.js'
import { setting } from './finding.js'
import type { Moment } from './sample.js'

/** Of one in so many segments it would not be noticed. */
const SEGMENTS_EACH = 20
/** A peer that sends its next piece only when the last one is acknowledged spends all its time so. */
const SHARE_OF_TIME = 0.5

const number = (socket: SocketStats | undefined, name: string) => Number(socket?.[name] ?? 0)

/**
 * By the socket's id, how many a second. Whether the peer waits (Nagle's algorithm) only it knows; but
 * where no data flow back, and more time passes without a late acknowledgement than waiting for one, its
 * data come when it has them: a log, a heartbeat. Those are left out.
 */
export function lateAcks(before: Moment, after: Moment): Map<number, number> {
    const seconds = (after.at - before.at) / 1000
    const holdS = Number.parseFloat(setting(after.stats, 'tcp.delayed_ack_ms') ?? '0') / 1000
    const known = new Map(before.stats.sockets.map((socket) => [socket.id, socket]))
    const late = new Map<number, number>()
    for (const socket of after.stats.sockets) {
        const grown = (name: string) => number(socket, name) - number(known.get(socket.id), name)
        const acks = grown('delayed_acks')
        if (acks <= 0 || acks <= grown('rx_packets') / SEGMENTS_EACH) continue
        const answers = grown('tx_bytes') > 0
        if (answers || (acks * holdS) / seconds > SHARE_OF_TIME) late.set(socket.id, acks / seconds)
    }
    return late
}
