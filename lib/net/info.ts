// SPDX-License-Identifier: Apache-2.0

import { IPPROTO_TCP } from '../constants.js'
import { native } from '../native.js'
import { type SocketInfo, socketInfo } from '../place.js'

const TCP_INFO = 11
const bytes = new Uint8Array(256)
const view = new DataView(bytes.buffer)

/**
 * What TCP knows about a connection (struct tcp_info of tcp(7)), and where it is served. Times are durations, by the
 * stack's clock: CLOCK_MONOTONIC, that of `process.hrtime()`, read once in each turn of the stack.
 */
export interface ConnectionInfo extends SocketInfo {
    /** Smoothed round-trip time and its variation, microseconds; 0 before the first measurement. */
    rttUs: number
    /** Its variation, microseconds. */
    rttVariationUs: number
    /** How long it waits for an acknowledgement before it sends again, microseconds. */
    retransmissionTimeoutUs: number
    /** Segments sent again, since the connection was made. */
    retransmits: number
    /** In segments of `segmentBytes`. */
    congestionWindow: number
    /** Above it the window grows slowly; in segments. */
    slowStartThreshold: number
    /** What a segment carries at most, bytes. */
    segmentBytes: number
    /** Segments on their way, not acknowledged yet. */
    inFlight: number
    /** Written and not sent yet. */
    unsentBytes: number
    /** What the peer may still send before the reader has to read. */
    receiveWindowBytes: number
    /** Of what was sent, since the connection was made. */
    bytesAcknowledged: number
    /** In order, since the connection was made. */
    bytesReceived: number
    /** Segments received, since the connection was made. */
    segmentsIn: number
    /** Segments sent, those sent again included. */
    segmentsOut: number
}

/** undefined: no descriptor, or not one of TCP. */
export function connectionInfo(fd: number): ConnectionInfo | undefined {
    const served = socketInfo(fd)
    if (served === undefined) return undefined
    bytes.fill(0)
    if (native.getsockoptBytes(fd, IPPROTO_TCP, TCP_INFO, bytes) < 0) return undefined
    const word = (at: number) => view.getUint32(at, true)
    const long = (at: number) => Number(view.getBigUint64(at, true))
    return {
        ...served,
        rttUs: word(68),
        rttVariationUs: word(72),
        retransmissionTimeoutUs: word(8),
        retransmits: word(100),
        congestionWindow: word(80),
        slowStartThreshold: word(76),
        segmentBytes: word(16),
        inFlight: word(24),
        unsentBytes: word(144),
        receiveWindowBytes: word(96),
        bytesAcknowledged: long(120),
        bytesReceived: long(128),
        segmentsIn: word(140),
        segmentsOut: word(136),
    }
}
