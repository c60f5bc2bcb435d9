// SPDX-License-Identifier: Apache-2.0
// import declarations: both kinds of module get the same copy of ours, the CommonJS one.

import { fileURLToPath, pathToFileURL } from 'node:url'
import { replacementOf } from './modules.js'

interface Resolved {
    url: string
    format?: string
    shortCircuit?: boolean
}

export function resolve<Result>(
    specifier: string,
    context: { parentURL?: string | undefined },
    next: (specifier: string, context: object) => Result,
): Result | Resolved {
    const { parentURL } = context
    const importer = parentURL?.startsWith('file:') ? fileURLToPath(parentURL) : undefined
    const file = replacementOf(specifier, importer)
    if (file === undefined) return next(specifier, context)
    return { url: pathToFileURL(file).href, format: 'commonjs', shortCircuit: true }
}
