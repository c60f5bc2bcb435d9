// SPDX-License-Identifier: Apache-2.0
// Hugepages are raised for a run and go back, also those of a run that was killed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { reserveHugepages, sweepHugepages } from '../../tools/net/hugepages.js'

const FILE = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
const root = process.getuid?.() === 0 && existsSync(FILE)
const skip = root ? undefined : 'needs root, and a kernel with 2 MiB pages'
const pages = () => Number(readFileSync(FILE, 'utf8'))
const free = () => Number(readFileSync(FILE.replace('nr_', 'free_'), 'utf8'))

t.test('raised and given back', { skip }, async (t) => {
    const before = pages()
    const giveBack = reserveHugepages(free() * 2 + 8)
    t.ok(giveBack, 'four pages more can be had')
    t.equal(pages(), before + 4)
    giveBack?.()
    t.equal(pages(), before)
})

t.test('after kill -9', { skip }, async (t) => {
    const before = pages()
    const code = `import { reserveHugepages } from './tools/net/hugepages.ts'
        reserveHugepages(${free() * 2 + 8})
        process.kill(process.pid, 'SIGKILL')`
    spawnSync('node_modules/.bin/tsx', ['--input-type=module', '-e', code])
    t.equal(pages(), before + 4, 'they stay')
    sweepHugepages()
    t.equal(pages(), before, 'until the next run')
})
