// SPDX-License-Identifier: Apache-2.0
/*
 * Hugepages for a run: raises the number of 2 MiB pages when too few are free, and takes back what it
 * added. Only root may; everybody else runs without.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cleanup } from './cleanup.js'

const FOLDER = '/sys/kernel/mm/hugepages/hugepages-2048kB'
const PAGE_MIB = 2

const read = (name: string) => Number(readFileSync(`${FOLDER}/${name}`, 'utf8'))

export function freeHugepagesMib(): number {
    try {
        return read('free_hugepages') * PAGE_MIB
    } catch {
        return 0
    }
}

/* Returns the function that gives them back, or undefined if `mib` cannot be had. */
export function reserveHugepages(mib: number): (() => void) | undefined {
    try {
        const missing = Math.ceil(mib / PAGE_MIB) - read('free_hugepages')
        if (missing <= 0) return () => {}
        const before = read('nr_hugepages')
        writeFileSync(`${FOLDER}/nr_hugepages`, String(before + missing))
        const added = read('nr_hugepages') - before
        const giveBack = cleanup(() => {
            // Relative, since another run may have added some of its own meanwhile.
            writeFileSync(`${FOLDER}/nr_hugepages`, String(Math.max(0, read('nr_hugepages') - added)))
        })
        if (added < missing) {
            giveBack()
            return undefined
        }
        return giveBack
    } catch {
        return undefined
    }
}
