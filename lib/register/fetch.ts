// SPDX-License-Identifier: Apache-2.0
// fetch, WebSocket and EventSource are in Node's inside, with sockets of its own. Whom they ask for connections is
// known by a symbol that all copies of undici share.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Connected, connector, Destination } from '../undici.js'
import { folder } from './modules.js'

/** Newer ones look at the second, and keep the first for older ones. */
const DISPATCHERS = ['undici.globalDispatcher.1', 'undici.globalDispatcher.2'].map(Symbol.for)
const require = createRequire(import.meta.url)

type Connect = (to: Destination, done: Connected) => void

interface Agent {
    constructor: new (options: { connect: Connect }) => Agent
}

/** Ours is loaded with the first connection. */
let open: Connect | undefined
const connect: Connect = (to, done) => {
    open ??= (require(join(folder, 'undici.cjs')) as { connector: typeof connector }).connector()
    open(to, done)
}

/** Which of the global names are turned over. */
export function turnOverFetch(): string[] {
    const globals = globalThis as unknown as Record<string | symbol, unknown>
    // Loads Node's undici, which puts its default there.
    void globals.FormData
    for (const name of DISPATCHERS) {
        const standard = globals[name] as Agent | undefined
        if (standard === undefined) continue
        // Another than the default goes through a proxy: NODE_USE_ENV_PROXY.
        if (standard.constructor.name !== 'Agent') return []
        globals[name] = new standard.constructor({ connect })
    }
    return ['fetch', 'WebSocket', 'EventSource'].filter((name) => name in globals)
}
