// SPDX-License-Identifier: Apache-2.0
// Libraries on our stack in this process, their peers on the kernel's in a namespace.
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Wire } from '../../tools/net/wire.js'
import { certificate } from '../certificate.js'
import { ask, peer, skipWithoutWires, startStack } from '../net/support/stack.js'

const PEER = fileURLToPath(new URL('peer.mjs', import.meta.url))

/* Bounds a hang. */
const PATIENCE_MS = 240_000

export const pair = certificate()
export const big = 'x'.repeat(300_000)

export interface Ports {
    http: number
    https: number
    h2c: number
    h2: number
    mqtt: number
    kafka: number
}

export interface Place {
    wire: Wire
    /* Of the servers on the kernel's side. */
    ports: Ports
    /* A conversation of a client on the kernel's side with one of our servers: what it saw. */
    talk(kind: string, url: string): Promise<Record<string, unknown>>
}

export async function start(): Promise<Place> {
    skipWithoutWires()
    t.setTimeout(PATIENCE_MS)
    const wire = startStack()
    const servers = peer(wire, 'serve', { host: wire.peer4, ...pair }, PEER)
    t.teardown(() => servers.end())
    const ports = (await servers.next()) as unknown as Ports
    return { wire, ports, talk: (kind, url) => ask(wire, kind, { url }, PEER) }
}
