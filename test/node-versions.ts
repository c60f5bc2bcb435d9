// SPDX-License-Identifier: Apache-2.0
// Other versions of Node to run tests on, from npm: packages that are nothing but the program.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname

/** What the package is meant for beside the version that runs the tests. */
export const OTHER_NODES = [20, 22, 24].filter((major) => !process.version.startsWith(`v${major}.`))

/** A Node of this version; undefined if it cannot be had here. */
export function nodeOf(major: number): string | undefined {
    if (process.version.startsWith(`v${major}.`)) return process.execPath
    const folder = join(root, '.cache', `node${major}`)
    const name = `node-linux-${process.arch}`
    const binary = join(folder, 'node_modules', name, 'bin', 'node')
    if (existsSync(binary)) return binary
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const npm = ['npm', 'install', '--no-audit', '--no-fund', `${name}@${major}`]
    spawnSync('env', ['-u', 'NODE_OPTIONS', ...npm], { cwd: folder, timeout: 300_000 })
    return existsSync(binary) ? binary : undefined
}
