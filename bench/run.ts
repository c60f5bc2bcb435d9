// SPDX-License-Identifier: Apache-2.0
// npm run bench [-- --only NAME,... --json FILE --quick --pairs N --wire vhost|memif --list]
//
// Each row runs ours and its peer in turn, in one run on the same two cores: only the ratio means
// something on a machine that others use too. docs/benchmarks.md says what each row measures.

import { existsSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cleanup } from '../tools/net/cleanup.js'
import { reserveHugepages } from '../tools/net/hugepages.js'
import { Context, type Options, type Wire } from './context.js'
import { pickCores } from './host/cores.js'
import { killAll } from './host/program.js'
import { QuietWatch } from './host/quiet.js'
import { type Comparison, compare, formatTable } from './output.js'
import type { Group } from './row.js'
import { allGroups } from './rows.js'
import type { Sample } from './statistics.js'

const LEAST_PAIRS = 5
const QUICK_PAIRS = 2
/** Two processes with a stack each. */
const HUGEPAGES_MIB = 256
const QUIET_LOOK_MS = 100

const { values } = parseArgs({
    options: {
        only: { type: 'string' },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
        pairs: { type: 'string' },
        seconds: { type: 'string' },
        wire: { type: 'string', default: 'vhost' },
        programs: {
            type: 'string',
            default: fileURLToPath(new URL('../build/release/bench', import.meta.url)),
        },
        list: { type: 'boolean', default: false },
    },
})

function fail(text: string): never {
    process.stderr.write(`bench: ${text}\n`)
    process.exit(2)
}

function select(groups: Group[], only: string | undefined): Group[] {
    if (only === undefined) return groups
    const wanted = only.split(',').filter(Boolean)
    for (const name of wanted)
        if (!groups.some((group) => group.rows.some((row) => row.name.startsWith(name))))
            fail(`--only ${name}: no such row; --list shows them`)
    return groups.filter((group) =>
        group.rows.some((row) => wanted.some((name) => row.name.startsWith(name))),
    )
}

function readOptions(): { options: Options; pairs: number } {
    const quick = values.quick
    const pairs = values.pairs === undefined ? (quick ? QUICK_PAIRS : LEAST_PAIRS) : Number(values.pairs)
    const seconds = values.seconds === undefined ? (quick ? 0.5 : 1) : Number(values.seconds)
    if (!Number.isInteger(pairs) || pairs < 1) fail(`--pairs ${values.pairs}: a whole number from 1`)
    if (!(seconds > 0)) fail(`--seconds ${values.seconds}: a positive number`)
    if (values.wire !== 'vhost' && values.wire !== 'memif') fail(`--wire ${values.wire}: vhost or memif`)
    if (process.getuid?.() !== 0) fail('namespaces and veths need root: run it with sudo')
    if (!existsSync(values.programs)) fail(`${values.programs} is missing: npm run build`)
    const wire: Wire = values.wire
    return {
        options: { programs: values.programs, wire, seconds, warmup: 0.2, quick, cores: pickCores() },
        pairs,
    }
}

async function measure(group: Group, context: Context, pairs: number): Promise<Comparison[]> {
    const watch = new QuietWatch(2)
    const ours: Record<string, Sample>[] = []
    const theirs: Record<string, Sample>[] = []
    for (let pair = 0; pair < pairs; pair++) {
        await watch.look(QUIET_LOOK_MS)
        for (const both of (await group.together?.(context, pair)) ?? []) {
            ours.push(both.ours)
            theirs.push(both.theirs)
        }
        if (group.ours) ours.push(await group.ours(context))
        if (group.theirs) theirs.push(await group.theirs(context))
    }
    await watch.look(QUIET_LOOK_MS)
    const disturbed = watch.verdict()
    if (disturbed) process.stderr.write(`  not quiet: ${disturbed}\n`)
    const setup = [
        group.setup,
        `ours over ${context.options.wire}`,
        `cores ${context.options.cores.join(' and ')}`,
        ...(pairs < LEAST_PAIRS ? [`only ${pairs} pairs`] : []),
        ...(disturbed ? [`not quiet: ${disturbed}`] : []),
    ].join('; ')
    return group.rows.map((row) =>
        compare(
            row,
            group,
            ours.map((run) => pick(run, row.name)),
            theirs.map((run) => pick(run, row.name)),
            setup,
        ),
    )
}

function pick(run: Record<string, Sample>, name: string): Sample {
    const sample = run[name]
    if (!sample) throw new Error(`the run gave no ${name}`)
    return sample
}

async function main(): Promise<number> {
    const groups = select(allGroups(values.quick), values.only)
    if (values.list) {
        for (const group of groups)
            process.stdout.write(
                `${group.rows.map((row) => row.name).join(' ')}\n    ${group.setup}\n    peer: ${group.peer}\n`,
            )
        return 0
    }
    const { options, pairs } = readOptions()
    const context = new Context(options)
    cleanup(() => {
        killAll()
        context.remove()
    })
    if (!reserveHugepages(HUGEPAGES_MIB))
        process.stderr.write(`fewer than ${HUGEPAGES_MIB} MiB of hugepages: stacks may run without
`)

    process.stderr.write(
        `${pairs} pairs of ${options.seconds} s each, cores ${options.cores.join(' and ')}, load ${loadavg()[0]!.toFixed(2)}` +
            `${pairs < LEAST_PAIRS ? ` (fewer than ${LEAST_PAIRS} pairs: a rough look)` : ''}\n`,
    )
    const comparisons: Comparison[] = []
    const failed: string[] = []
    for (const group of groups) {
        process.stderr.write(`${group.rows.map((row) => row.name).join(' ')} ...\n`)
        try {
            comparisons.push(...(await measure(group, context, pairs)))
        } catch (error) {
            failed.push(group.rows[0]!.name)
            process.stderr.write(`  FAILED: ${(error as Error).message}\n`)
        }
    }
    const targets = new Map(
        groups.flatMap((group) => group.rows.map((row) => [row.name, row.target] as const)),
    )
    if (comparisons.length) process.stdout.write(`${formatTable(comparisons, targets)}\n`)
    process.stdout.write('ratio: over 1 = ours is better; medians of runs; spread: (max - min) / median\n')
    if (values.json) writeFileSync(values.json, `${JSON.stringify(comparisons, null, 4)}\n`)
    if (failed.length) process.stderr.write(`failed: ${failed.join(', ')}\n`)
    return failed.length ? 1 : 0
}

process.exitCode = await main()
