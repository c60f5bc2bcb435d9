// SPDX-License-Identifier: Apache-2.0
/*
 * Node's own tests of net and dgram on ours, each in a process of its own whose require() and import give
 * ours (pronghorn/register). list.json names those that are not for us, with the reason, and those that
 * differ, which docs/differences.md explains; all others must pass.
 *
 * PRONGHORN_TEST_NODES=22,24  on these versions of Node as well (from npm), not only on the one that runs
 * PRONGHORN_TEST_ONLY=listen     those whose name has this
 * PRONGHORN_TEST_ITSELF=1     on Node's own modules: which tests pass in this environment at all?
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { nodeOf } from '../../node-versions.js'
import { namesOf, type Outcome, type Runner, runTest, unpackTests } from './tests.js'

interface List {
    /** Reason -> tests that say nothing about ours. */
    excluded: Record<string, string[]>
    /** Test -> what is different; on these versions of Node only, if it names some. */
    differs: Record<string, { why: string; nodes?: number[] }>
}

const root = new URL('../../..', import.meta.url).pathname
const list: List = JSON.parse(readFileSync(new URL('list.json', import.meta.url), 'utf8'))
const itself = process.env.PRONGHORN_TEST_ITSELF === '1'
const SIDE_BY_SIDE = 2

async function runAll(runner: Runner, names: string[]): Promise<Map<string, Outcome>> {
    const outcomes = new Map<string, Outcome>()
    const left = names.slice()
    const worker = async (slot: number) => {
        for (let name = left.shift(); name !== undefined; name = left.shift())
            outcomes.set(name, await runTest(runner, name, slot))
    }
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, (_, slot) => worker(slot)))
    return outcomes
}

const majors = (process.env.PRONGHORN_TEST_NODES ?? process.version.slice(1))
    .split(',')
    .map(Number.parseFloat)
const { folder, problem } = unpackTests()
if (folder === undefined) {
    t.pass("Node's tests", { skip: problem })
} else {
    const documented = readFileSync(join(root, 'docs/differences.md'), 'utf8')
    for (const name of Object.keys(list.differs))
        t.ok(documented.includes(`\`${name}\``), `docs/differences.md explains ${name}`)
    const all = namesOf(folder)
    const only = process.env.PRONGHORN_TEST_ONLY ?? ''
    const excluded = new Set(Object.values(list.excluded).flat())
    for (const name of [...excluded, ...Object.keys(list.differs)])
        if (!all.includes(name)) t.fail(`list.json names ${name}, which does not exist`)
    for (const major of majors.map(Math.trunc)) {
        const node = nodeOf(major)
        if (node === undefined) {
            t.pass(`Node ${major}`, { skip: 'its npm package cannot be had here' })
            continue
        }
        const names = all.filter((name) => (itself || !excluded.has(name)) && name.includes(only))
        const outcomes = await runAll({ folder, node, major, itself }, names)
        let same = 0
        for (const name of names) {
            const { passed, text } = outcomes.get(name) as Outcome
            const known = list.differs[name]
            const differs = !itself && known !== undefined && (known.nodes ?? [major]).includes(major)
            if (passed) same++
            if (differs)
                t.notOk(passed, `Node ${major}: ${name} still differs`, {
                    text: 'it passes: take it off list.json and docs/differences.md',
                })
            else t.ok(passed, `Node ${major}: ${name}`, { text })
        }
        t.ok(itself || same >= 0.95 * names.length, `Node ${major}: ${same} of ${names.length} tests pass`)
    }
}
