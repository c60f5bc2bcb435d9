// SPDX-License-Identifier: Apache-2.0
// The memory that packets lie in, as one ArrayBuffer for each thread of JavaScript.

import { markAsUntransferable } from 'node:worker_threads'
import { coded } from '../errors.js'
import { native } from '../native.js'
import { ensureRuntime } from '../runtime.js'

export interface Arena {
    buffer: ArrayBuffer
    bytes: Uint8Array
    view: DataView
}

const key = Symbol.for('pronghorn.arena')
const registry = globalThis as unknown as Record<symbol, Arena | undefined>

export function arena(): Arena {
    let known = registry[key]
    if (known) return known
    ensureRuntime()
    const buffer = native.ringMemory()
    if (buffer === undefined)
        throw coded(
            Error,
            'ERR_PRONGHORN_RING',
            'the memory of packets cannot be shown to this JavaScript engine: it allows no external ' +
                'buffers, or none that large (lower memory.limit_mib)',
        )
    // It is not ours to give away: detached, it would take every ring of the thread with it. Node 24 marks it by a
    // key to its detaching, which its own clean-up does not have: it would abort when the thread or process ends.
    if (Number.parseInt(process.versions.node, 10) < 23) markAsUntransferable(buffer)
    known = { buffer, bytes: new Uint8Array(buffer), view: new DataView(buffer) }
    registry[key] = known
    return known
}
