// SPDX-License-Identifier: Apache-2.0
/*
 * Stamps: what a step was made from. A stamp is written (by rename) only after its step succeeded, so
 * a killed step is simply done again.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './run.mjs'

/* A digest over the names, sizes and times of all files under `paths` (relative to the root). */
export function fingerprint(paths, ...extra) {
    const hash = createHash('sha256').update(JSON.stringify([process.arch, ...extra]))
    const visit = (path) => {
        const stat = statSync(join(root, path), { throwIfNoEntry: false })
        if (stat?.isDirectory()) {
            for (const name of readdirSync(join(root, path)).sort()) visit(join(path, name))
        } else if (stat) {
            hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`)
        }
    }
    for (const path of paths) visit(path)
    return hash.digest('hex')
}

export const contents = (path) =>
    createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex')

export function isCurrent(file, value) {
    try {
        return readFileSync(join(root, file), 'utf8') === value
    } catch {
        return false
    }
}

export function clearStamp(file) {
    rmSync(join(root, file), { force: true })
}

export function writeStamp(file, value) {
    const path = join(root, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.${process.pid}`, value)
    renameSync(`${path}.${process.pid}`, path)
}
