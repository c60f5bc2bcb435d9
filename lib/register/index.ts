// SPDX-License-Identifier: Apache-2.0
// node --import pronghorn/register app.js: require() and import of net, dgram and what stands on them give
// ours, without a change to the program.

import module, { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { packageRoot } from '../package.js'
import { resolve } from './hooks.js'
import { replacementOf, turnedOver } from './modules.js'

interface Loader {
    _load(request: string, parent: { filename?: string } | undefined, isMain: boolean): unknown
    registerHooks?(hooks: { resolve: unknown }): void
    register(url: string): void
}

const loader = module as unknown as Loader
const require = createRequire(import.meta.url)
const load = loader._load

loader._load = function (request, parent, isMain) {
    const file = replacementOf(request, parent?.filename)
    return file === undefined ? load.call(this, request, parent, isMain) : require(file)
}

// Node 22.15 has hooks in the thread itself; before, they run in one of their own.
if (loader.registerHooks) loader.registerHooks({ resolve })
else loader.register(pathToFileURL(join(packageRoot(), 'dist', 'register-hooks.js')).href)

if (isMainThread && !['error', 'warning', 'none'].includes(process.env.PRONGHORN_LOG_LEVEL ?? ''))
    process.stderr.write(
        `pronghorn: info: ${turnedOver.join(', ')} of this program are Pronghorn's; fetch, child processes and ` +
            `local sockets stay the kernel's\n`,
    )
