// SPDX-License-Identifier: Apache-2.0
// pronghorn/ring: received data in place, prepared messages, sending in place. docs/zero-copy.md.

import { placeOf } from './held.js'
import { Ring, type RingOptions } from './ring.js'

export type {
    DatagramLayout,
    FixedLayout,
    Framer,
    Layout,
    OnMessage,
    PrefixedLayout,
} from './messages.js'
export { type Batch, Ring, type RingOptions, type RingOwner } from './ring.js'
export { LENGTH, MORE, OFFSET, ROW, TIME } from './rows.js'
export type { Field, FieldType, Target, Template } from './template.js'

/**
 * A ring on a descriptor of pronghorn/posix. Sockets of pronghorn/net and pronghorn/dgram have a
 * method ring() for theirs. Close the ring before the descriptor.
 */
export function ring(fd: number, options: RingOptions = {}): Ring {
    return new Ring(fd, options, placeOf(ring))
}
