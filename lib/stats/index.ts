// SPDX-License-Identifier: Apache-2.0
// pronghorn/stats: what the processes of this machine count, read from shared memory. Neither the
// addon nor the process takes part, so that a process that hangs can be read too.

export type { ChosenStats } from './chosen.js'
export type { Facts, PortFact, SettingFact, StackFact } from './facts.js'
export {
    type Flight,
    type FlightEvent,
    type FlightPacket,
    listFlights,
    readFlight,
} from './flight.js'
export { type Bucket, Histogram } from './histogram.js'
export { type Field, type Kind, SegmentError } from './layout.js'
export { type Route, readRoutes, socketInodes } from './routes.js'
export {
    listProcesses,
    type ProcessInfo,
    type ReadOptions,
    readSegment,
    SEGMENT_DIRECTORY,
    type SegmentStats,
    type StackStats,
    type StatsOptions,
} from './segment.js'
export type { SocketStats } from './sockets.js'
export { readTrace, type Trace, type TraceRecord } from './trace.js'
export { type TracePoint, tracePoints } from './trace-points.js'
