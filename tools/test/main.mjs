#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * npm test [-- --only NAME[,NAME]] [-- FILE...]: sets up, then runs everything in one tap run, fast
 * parts first, and ends with one plain line: "N passed, N failed, N skipped".
 *
 * Groups: lint, tools, unit, sim, lib, net, sanitize, package. The C test programs are spawned by
 * TypeScript files of test/unit and test/sim, so that tap counts their test points too.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ensurePreset } from '../setup/build.mjs'
import { ensureSetup } from '../setup/main.mjs'
import { root, SetupError, step } from '../setup/run.mjs'

const TAP_FILE = join(root, 'build', 'logs', 'test.tap')
/* `base` redraws its last lines, which only a terminal understands. */
const reporter = process.env.PRONGHORN_TEST_REPORTER ?? (process.stdout.isTTY ? 'base' : 'terse')
/* For one file; the C programs inside a file have their own, shorter one. */
const FILE_TIMEOUT_S = 900

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
/* In the order in which they run: what fails fast and often comes first. */
const groups = {
    lint: () => testFiles('lint'),
    tools: () => testFiles('tools'),
    unit: () => testFiles('unit', (file) => !isSanitize(file)),
    sim: () => testFiles('sim', (file) => !isSanitize(file)),
    lib: () => testFiles('lib'),
    net: () => testFiles('net'),
    sanitize: () => [...testFiles('unit', isSanitize), ...testFiles('sim', isSanitize)],
    package: () => testFiles('package'),
}

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
    return { only: only.length ? only : files.length ? [] : Object.keys(groups), files }
}

/* tap's own closing comment: "# { total: 9, pass: 7, fail: 1, skip: 1 }", or "# { total: 9, ...". */
function totals() {
    const text = existsSync(TAP_FILE) ? readFileSync(TAP_FILE, 'utf8') : ''
    const counts = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }
    const found = text.match(/^# (\{.*\})$/gm)?.at(-1) ?? ''
    for (const [, name, value] of found.matchAll(/(\w+): (\d+)/g)) counts[name] = Number(value)
    return { ...counts, complete: found !== '' }
}

function runTap(files) {
    const args = [
        ...['--disable-coverage', '--allow-incomplete-coverage', '--jobs=1', `--timeout=${FILE_TIMEOUT_S}`],
        ...[`--reporter=${reporter}`, `--output-file=${TAP_FILE}`],
        ...files,
    ]
    return new Promise((resolve) => {
        const child = spawn(join(root, 'node_modules', '.bin', 'tap'), args, {
            cwd: root,
            stdio: ['ignore', 'inherit', 'inherit'],
        })
        // Interrupted: tap ends its children, which clean up after themselves; wait for that.
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
        child.on('exit', (code, signal) => resolve(code ?? signal))
    })
}

const start = performance.now()
const { only, files } = parse(process.argv.slice(2))
ensureSetup()
if (only.includes('sanitize')) {
    await step('sanitize', (it) => ensurePreset(it, 'sanitize')).catch((error) => {
        console.error(error instanceof SetupError ? `setup: ${error.message}` : error)
        process.exit(1)
    })
}
const chosen = [
    ...new Set([
        ...Object.keys(groups).flatMap((name) => (only.includes(name) ? groups[name]() : [])),
        ...files,
    ]),
]
if (chosen.length === 0) {
    console.error('no test files')
    process.exit(1)
}
mkdirSync(join(root, 'build', 'logs'), { recursive: true })
const status = await runTap(chosen)
const { pass, fail, skip, todo, complete } = totals()
// A run that broke off counts as a failure even if every finished test passed.
const failed = status !== 0 && fail === 0 ? 1 : fail
const minutes = (performance.now() - start) / 60_000
if (!complete || status !== 0)
    console.log(`tap ended with ${status}; its full output: ${relative(root, TAP_FILE)}`)
console.log(`${chosen.length} test files in ${minutes.toFixed(1)} minutes`)
console.log(`${pass} passed, ${failed} failed${skip + todo ? `, ${skip + todo} skipped` : ''}`)
process.exitCode = status === 0 && failed === 0 && complete ? 0 : 1
