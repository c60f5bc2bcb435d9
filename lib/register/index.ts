// SPDX-License-Identifier: Apache-2.0
// node --import pronghorn/register app.js: require() and import of net, dgram and what stands on them give
// ours, without a change to the program.

import module, { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { portsOwner } from '../ports-owner.js'
import { turnOverFetch } from './fetch.js'
import { resolve } from './hooks.js'
import { folder, replacementOf, turnedOver } from './modules.js'

interface Loader {
    _load(request: string, parent: { filename?: string } | undefined, isMain: boolean): unknown
    registerHooks?(hooks: { resolve: unknown }): void
    register(url: string): void
}

const loader = module as unknown as Loader
const require = createRequire(import.meta.url)

function turnOver(): string[] {
    const load = loader._load
    loader._load = function (request, parent, isMain) {
        const file = replacementOf(request, parent?.filename)
        return file === undefined ? load.call(this, request, parent, isMain) : require(file)
    }
    // Node 22.15 has hooks in the thread itself; before, they run in one of their own.
    if (loader.registerHooks) loader.registerHooks({ resolve })
    else loader.register(pathToFileURL(join(folder, 'register-hooks.js')).href)
    return [...turnedOver, ...turnOverFetch()]
}

function say(text: string): void {
    if (isMainThread && !['error', 'warning', 'none'].includes(process.env.PRONGHORN_LOG_LEVEL ?? ''))
        process.stderr.write(`pronghorn: info: ${text}\n`)
}

const owner = portsOwner()
if (owner === undefined)
    say(
        `${turnOver().join(', ')} of this program are Pronghorn's; child processes, cluster and local sockets stay ` +
            `the kernel's`,
    )
else
    say(
        `process ${process.pid} stays the kernel's: process ${owner}, which started it, has the ports (a PRONGHORN_PORT ` +
            `of its own gives it its own)`,
    )
