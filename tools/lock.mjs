#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * Refreshes package-lock.json: `node tools/lock.mjs` after a change of package.json.
 *
 * The lock names no host (`omit-lockfile-registry-resolved` in .npmrc), so that every machine
 * fetches from its own registry. npm drops from it the optional packages of other platforms when a
 * registry does not carry them, and `npm ci` then refuses the lock; their parents name their exact
 * versions, so the entries are written here instead.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const systems = [
    'aix',
    'android',
    'darwin',
    'freebsd',
    'linux',
    'netbsd',
    'openbsd',
    'openharmony',
    'sunos',
    'win32',
]
const processors = [
    'arm64',
    'arm',
    'ia32',
    'loong64',
    'mips64el',
    'ppc64',
    'riscv64',
    's390x',
    'x64',
    'wasm32',
]

execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { stdio: 'inherit' })

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const packages = lock.packages
let added = 0

// Where npm would look for `name` seen from `parent`: nested first, then each folder above.
function find(parent, name) {
    for (let folder = parent; ; folder = folder.slice(0, folder.lastIndexOf('node_modules/') - 1)) {
        const key = folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`
        if (packages[key]) return packages[key]
        if (!folder) return undefined
    }
}

for (const [parent, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
        if (find(parent, name)?.version === version || !/^\d/.test(version)) continue
        const words = name.split(/[-/]/)
        const os = systems.find((system) => words.includes(system))
        const cpu = processors.find((processor) => words.includes(processor))
        if (!os && !cpu) continue
        // Next to the parent, as npm places what conflicts with the version above.
        const top = packages[`node_modules/${name}`]
        const key = top ? `${parent}/node_modules/${name}` : `node_modules/${name}`
        packages[key] = {
            version,
            ...(cpu && { cpu: [cpu] }),
            dev: true,
            optional: true,
            ...(os && { os: [os] }),
        }
        added++
    }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)))
const text = `${JSON.stringify(lock, null, 2)}\n`
if (text.includes('"resolved"')) throw new Error('package-lock.json names a registry')
writeFileSync('package-lock.json', text)
console.log(`package-lock.json: ${Object.keys(packages).length} packages, ${added} of other platforms added`)
