// SPDX-License-Identifier: Apache-2.0
// Looks for rings whose owner forgets to release, and says where they were made.

export interface Holder {
    readonly held: number
    /** Counts up with each release. */
    readonly releases: number
    /** The stack of the call that made it. */
    readonly place: string
}

interface Seen {
    releases: number
    held: boolean
    warned: boolean
}

const LOOK_MS = 1000
const rings = new Map<Holder, Seen>()
let timer: NodeJS.Timeout | undefined

function look(): void {
    for (const [ring, seen] of rings) {
        const stuck = ring.held > 0 && seen.held && seen.releases === ring.releases
        seen.held = ring.held > 0
        seen.releases = ring.releases
        if (!stuck) {
            seen.warned = false
        } else if (!seen.warned) {
            seen.warned = true
            warn(ring)
        }
    }
}

function warn(ring: Holder): void {
    const [first = 'at a place without a name'] = ring.place.split('\n')
    process.emitWarning(
        `${ring.held} segments of a ring have not been released for more than a second; as they fill the ` +
            `receive buffer, its peer has to wait (TCP) or is not heard (UDP). The ring was made ${first.trim()}`,
        { type: 'PronghornWarning', code: 'PRONGHORN_RING_HELD', detail: ring.place },
    )
}

export function watchHolder(ring: Holder): void {
    rings.set(ring, { releases: 0, held: false, warned: false })
    timer ??= setInterval(look, LOOK_MS).unref()
}

export function unwatchHolder(ring: Holder): void {
    rings.delete(ring)
    if (rings.size > 0) return
    clearInterval(timer)
    timer = undefined
}

/** Where the caller of `above` stands. */
export function placeOf(above: (...args: never[]) => unknown): string {
    const holder: { stack?: string } = {}
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 8
    Error.captureStackTrace(holder, above)
    Error.stackTraceLimit = limit
    return (holder.stack ?? '').split('\n').slice(1).join('\n')
}
