// SPDX-License-Identifier: Apache-2.0
// Which of Node's modules the program gets from us, and where ours lie.

import { join } from 'node:path'
import { packageRoot } from '../package.js'

export const folder = join(packageRoot(), 'dist')

export const turnedOver = ['net', 'dgram', 'http', 'https', 'http2', 'tls']

/** The file that stands for a module, if it is one of those and `importer` is not this package itself. */
export function replacementOf(specifier: string, importer: string | undefined): string | undefined {
    const name = specifier.startsWith('node:') ? specifier.slice(5) : specifier
    if (!turnedOver.includes(name) || importer?.startsWith(folder)) return undefined
    return join(folder, `${name}.cjs`)
}
