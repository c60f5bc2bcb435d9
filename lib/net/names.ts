// SPDX-License-Identifier: Apache-2.0

import type { Socket as NodeSocket } from 'node:net'

const NAMES = [
    'remoteAddress',
    'remoteFamily',
    'remotePort',
    'localAddress',
    'localFamily',
    'localPort',
] as const

/** A TLS socket over one of ours shows its names; Node's knows those of its own kind alone. */
export function lendNames(secure: object, raw: Pick<NodeSocket, (typeof NAMES)[number]> | undefined): void {
    if (raw === undefined) return
    for (const name of NAMES)
        Object.defineProperty(secure, name, { configurable: true, get: () => raw[name] })
}
