// SPDX-License-Identifier: Apache-2.0
// fetch and its like are in Node's inside, with sockets of its own. What they ask for connections is known by a
// symbol that all copies of undici share, and exists once one of them was loaded: so it is replaced when the
// program first uses one of them, and programs that never do don't load it.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { connector } from '../undici.js'
import { folder } from './modules.js'

const DISPATCHER = Symbol.for('undici.globalDispatcher.1')
const require = createRequire(import.meta.url)

interface Dispatcher {
    constructor: new (options: { connect: unknown }) => Dispatcher
}

type Globals = Record<string | symbol, unknown>

/** Whoever set a dispatcher before meant it; one from the undici package has its net from us. */
function turnOver(): void {
    const globals = globalThis as unknown as Globals
    if (globals[DISPATCHER] !== undefined) return
    // Loads undici, which puts its default there.
    void globals.FormData
    const standard = globals[DISPATCHER] as Dispatcher | undefined
    if (standard === undefined) return
    const ours = require(join(folder, 'undici.cjs')) as { connector: typeof connector }
    globals[DISPATCHER] = new standard.constructor({ connect: ours.connector() })
}

/** Which of the global names are turned over. */
export function turnOverFetch(): string[] {
    const globals = globalThis as unknown as Globals
    const { fetch } = globalThis
    if (typeof fetch !== 'function') return []
    const names = ['fetch']
    globalThis.fetch = {
        fetch(...args: Parameters<typeof fetch>) {
            turnOver()
            return fetch(...args)
        },
    }.fetch
    for (const name of ['WebSocket', 'EventSource']) {
        const found = Object.getOwnPropertyDescriptor(globals, name)
        if (!found?.configurable || !found.get) continue
        const get = found.get
        Object.defineProperty(globals, name, {
            ...found,
            get() {
                turnOver()
                return get.call(globalThis)
            },
        })
        names.push(name)
    }
    return names
}
