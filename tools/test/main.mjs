#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * npm test [-- --only NAME[,NAME]] [-- FILE...]: sets up, then runs everything under tap, group by
 * group, what fails fast first, and ends with one plain line over all: "N passed, N failed, N skipped".
 *
 * Groups: lint, tools, unit, sim, conformance, node, lib, cli, preload, examples, recipes, nodes, net,
 * sanitize, bench, package; programs if it is named. The C test programs are spawned by TypeScript files of
 * test/unit and test/sim, so that tap counts their test points too.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
    createWriteStream,
    existsSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    rmSync,
    statSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { ensureBench, ensurePreset } from '../setup/build.mjs'
import { ensureSetup } from '../setup/main.mjs'
import { root, SetupError, step } from '../setup/run.mjs'
import { ensureSystemPackages, isRoot, programPackages } from '../setup/system.mjs'
import { report } from './report.mjs'

/* On a terminal tap's own display; in a log one line per file (report.mjs). */
const reporter = process.env.PRONGHORN_TEST_REPORTER ?? (process.stdout.isTTY ? 'base' : 'lines')
/* For one file; the C programs inside a file have their own, shorter one. Long runs (test:long) set a longer one. */
const FILE_TIMEOUT_S = Number(process.env.PRONGHORN_TEST_FILE_TIMEOUT_S ?? 900)

function testFiles(folder, accept = () => true) {
    const path = join(root, 'test', folder)
    if (!existsSync(path)) return []
    return readdirSync(path, { recursive: true })
        .map((name) => join(path, String(name)))
        .filter((file) => file.endsWith('.test.ts') && statSync(file).isFile() && accept(file))
        .map((file) => relative(root, file))
        .sort()
}

const isSanitize = (file) => /sanitize/.test(file)
const isNodes = (file) => file.includes('/conformance/node/')
/* In the order in which they run: what fails fast and often comes first. */
const groups = {
    lint: () => testFiles('lint'),
    tools: () => testFiles('tools'),
    unit: () => testFiles('unit', (file) => !isSanitize(file)),
    sim: () => testFiles('sim', (file) => !isSanitize(file)),
    conformance: () => testFiles('conformance', (file) => !isSanitize(file) && !isNodes(file)),
    node: () => testFiles('conformance/node'),
    lib: () => testFiles('lib', (file) => !isSanitize(file)),
    cli: () => testFiles('cli'),
    preload: () => testFiles('preload'),
    examples: () => testFiles('examples'),
    recipes: () => testFiles('recipes'),
    nodes: () => testFiles('nodes'),
    net: () => testFiles('net'),
    sanitize: () => ['unit', 'sim', 'conformance', 'lib'].flatMap((name) => testFiles(name, isSanitize)),
    bench: () => testFiles('bench'),
    package: () => testFiles('package'),
    programs: () => testFiles('programs'),
}
/* Takes a while, and installs the programs: npm run test:programs. */
const onlyIfAsked = ['programs']

function parse(args) {
    const only = []
    const files = []
    for (let i = 0; i < args.length; i++) {
        if (args[i] === '--only') only.push(...(args[++i] ?? '').split(','))
        else if (args[i].startsWith('--only=')) only.push(...args[i].slice(7).split(','))
        else files.push(args[i])
    }
    const unknown = only.filter((name) => !groups[name])
    if (unknown.length) {
        console.error(`no such group: ${unknown.join(', ')}; there are ${Object.keys(groups).join(', ')}`)
        process.exit(2)
    }
    const usual = Object.keys(groups).filter((name) => !onlyIfAsked.includes(name))
    return { only: only.length ? only : files.length ? [] : usual, files }
}

/* tap's own closing comment: "# { total: 9, pass: 7, fail: 1, skip: 1 }". */
function totalsIn(file) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const counts = { pass: 0, fail: 0, skip: 0, todo: 0 }
    const found = text.match(/^# (\{.*\})$/gm)?.at(-1) ?? ''
    for (const [, name, value] of found.matchAll(/(\w+): (\d+)/g)) counts[name] = Number(value)
    return { ...counts, complete: found !== '' }
}

let running
let interrupted = false
/* tap ends its children, which clean up after themselves: wait for that. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
        interrupted = true
        running?.kill(signal)
    })
}
/* One group in one run of tap; its totals, a broken-off run counting as a failure. */
async function runTap(name, files) {
    const file = join(root, 'build', 'logs', `test-${name}.tap`)
    rmSync(file, { force: true })
    const lines = reporter === 'lines'
    const args = [
        ...['--disable-coverage', '--allow-incomplete-coverage', '--jobs=1', `--timeout=${FILE_TIMEOUT_S}`],
        // (The TAP reporter and an output file together would give every line twice.)
        ...(lines ? ['--reporter=tap'] : [`--reporter=${reporter}`, `--output-file=${file}`]),
        ...files,
    ]
    running = spawn(join(root, 'node_modules', '.bin', 'tap'), args, {
        cwd: root,
        stdio: ['ignore', lines ? 'pipe' : 'inherit', 'inherit'],
    })
    if (lines) {
        report(running.stdout)
        running.stdout.pipe(createWriteStream(file))
    }
    const [code, signal] = await once(running, 'close')
    const totals = totalsIn(file)
    if (code !== 0) {
        console.log(`${name}: tap ended with ${code ?? signal}; its full output: ${relative(root, file)}`)
        if (totals.fail === 0) totals.fail = 1
    } else if (!totals.complete) {
        totals.fail++
    }
    return totals
}

const start = performance.now()
const { only, files } = parse(process.argv.slice(2))
ensureSetup()
async function build(name, work) {
    await step(name, work).catch((error) => {
        console.error(error instanceof SetupError ? `setup: ${error.message}` : error)
        process.exit(1)
    })
}
if (only.includes('sanitize')) await build('sanitize', (it) => ensurePreset(it, 'sanitize'))
if (only.includes('programs') && isRoot)
    await build('programs', (it) => ensureSystemPackages(it, programPackages()))
if (only.includes('bench')) await build('bench', ensureBench)
mkdirSync(join(root, 'build', 'logs'), { recursive: true })
const sum = { pass: 0, fail: 0, skip: 0, todo: 0 }
let count = 0
for (const name of [...Object.keys(groups), 'files']) {
    const chosen = name === 'files' ? files : only.includes(name) ? groups[name]() : []
    if (chosen.length === 0 || interrupted) continue
    console.log(`# ${name}`)
    const totals = await runTap(name, chosen)
    for (const key of Object.keys(sum)) sum[key] += totals[key]
    count += chosen.length
}
if (count === 0 || interrupted) sum.fail++
const minutes = (performance.now() - start) / 60_000
const skipped = sum.skip + sum.todo
console.log(`# ${count} test files in ${minutes.toFixed(1)} minutes`)
console.log(`${sum.pass} passed, ${sum.fail} failed${skipped ? `, ${skipped} skipped` : ''}`)
process.exitCode = sum.fail === 0 ? 0 : 1
