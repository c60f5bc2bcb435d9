// SPDX-License-Identifier: Apache-2.0
/*
 * Hugepages for a run: raises the number of 2 MiB pages when too few are free, and takes back what it
 * added. What a killed run added is taken back by the next one: a file by its process id in /run
 * remembers it. Only root may; everybody else runs without.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cleanup } from './cleanup.js'

const FOLDER = '/sys/kernel/mm/hugepages/hugepages-2048kB'
const MEMORY = '/run/pronghorn-hugepages'
const PAGE_MIB = 2

const read = (name: string) => Number(readFileSync(`${FOLDER}/${name}`, 'utf8'))

/* Relative, since another run may have added some of its own meanwhile. */
function change(pages: number): void {
    writeFileSync(`${FOLDER}/nr_hugepages`, String(Math.max(0, read('nr_hugepages') + pages)))
}

function takeBack(pid: string): void {
    const file = `${MEMORY}/${pid}`
    if (!existsSync(file)) return
    const added = Number(readFileSync(file, 'utf8'))
    rmSync(file)
    if (added > 0) change(-added)
}

export function sweepHugepages(): void {
    if (!existsSync(MEMORY)) return
    for (const pid of readdirSync(MEMORY)) if (!existsSync(`/proc/${pid}`)) takeBack(pid)
}

/* Returns the function that gives them back, or undefined if `mib` cannot be had. */
export function reserveHugepages(mib: number): (() => void) | undefined {
    try {
        sweepHugepages()
        const missing = Math.ceil(mib / PAGE_MIB) - read('free_hugepages')
        if (missing <= 0) return () => {}
        mkdirSync(MEMORY, { recursive: true })
        const before = read('nr_hugepages')
        // Written before it is true: a kill in between takes back too much of what nobody uses.
        writeFileSync(`${MEMORY}/${process.pid}`, String(missing))
        change(missing)
        const added = read('nr_hugepages') - before
        writeFileSync(`${MEMORY}/${process.pid}`, String(added))
        const giveBack = cleanup(() => takeBack(String(process.pid)))
        if (added < missing) {
            giveBack()
            return undefined
        }
        return giveBack
    } catch {
        return undefined
    }
}
