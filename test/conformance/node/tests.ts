// SPDX-License-Identifier: Apache-2.0
// Node's own tests of net and dgram: where they come from, and how one of them runs.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const root = new URL('../../..', import.meta.url).pathname
const here = new URL('.', import.meta.url).pathname
const register = join(root, 'dist', 'register.js')
/** Bounds a hang; the slowest test waits for some seconds by itself. */
const TIMEOUT_MS = 120_000

const source = JSON.parse(readFileSync(join(here, 'source.json'), 'utf8')) as { version: string }

/** The tests are this version's: they take globals of later ones for leaks. */
const MAJOR = Number.parseInt(source.version, 10)

interface Unpacked {
    folder?: string
    problem?: string
}

/** Fetches the pinned package and unpacks the tests, once. */
export function unpackTests(): Unpacked {
    const cache = join(root, '.cache', 'nodejs')
    const folder = join(cache, `tests-${source.version}`)
    if (existsSync(join(folder, '.complete'))) return { folder }
    const fetched = spawnSync('sh', [join(root, 'native/lwip/fetch'), cache, join(here, 'source.json')], {
        encoding: 'utf8',
    })
    if (fetched.status !== 0) return { problem: fetched.stderr.trim() }
    const part = `${folder}.part`
    rmSync(part, { recursive: true, force: true })
    mkdirSync(part, { recursive: true })
    const members = ['common/*', 'fixtures/*.txt', 'fixtures/keys/*']
    for (const kind of ['parallel', 'sequential'])
        members.push(`${kind}/test-net-*`, `${kind}/test-dgram-*`, `${kind}/*.status`)
    const tar = spawnSync('tar', [
        ...['-xJf', fetched.stdout.trim(), '-C', part, '--strip-components=1', '--wildcards'],
        ...members.map((name) => `*/test/${name}`),
    ])
    if (tar.status !== 0) return { problem: `tar: ${tar.stderr}` }
    // Else this project's own would make them ES modules.
    writeFileSync(join(part, 'package.json'), '{ "type": "commonjs" }\n')
    writeFileSync(join(part, '.complete'), '')
    rmSync(folder, { recursive: true, force: true })
    renameSync(part, folder)
    return { folder }
}

/** "parallel/test-net-server-close", ... */
export function namesOf(folder: string): string[] {
    return ['parallel', 'sequential'].flatMap((kind) =>
        readdirSync(join(folder, 'test', kind))
            .filter((name) => /^test-(net|dgram)-.*\.m?js$/.test(name))
            .map((name) => `${kind}/${name.replace(/\.js$/, '')}`)
            .sort(),
    )
}

export interface Outcome {
    passed: boolean
    text: string
}

export interface Runner {
    folder: string
    node: string
    major: number
    /** On Node's own modules instead of ours. */
    itself: boolean
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL')
})

/** One test, in a process of its own. `slot` tells those that run side by side apart. */
export function runTest(runner: Runner, name: string, slot: number): Promise<Outcome> {
    const file = join('test', /\.mjs$/.test(name) ? name : `${name}.js`)
    const text = readFileSync(join(runner.folder, file), 'utf8')
    const flags = /^\/\/ Flags: (.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? []
    const scratch = join(runner.folder, `tmp.${slot}`)
    mkdirSync(scratch, { recursive: true })
    // Without the loader that tap puts into every Node by NODE_OPTIONS.
    const node = ['-u', 'NODE_OPTIONS', runner.node, ...(runner.itself ? [] : ['--import', register])]
    const child = spawn('env', [...node, ...flags, file], {
        cwd: runner.folder,
        env: {
            ...process.env,
            NODE_TEST_DIR: scratch,
            TEST_THREAD_ID: String(slot),
            ...(runner.major === MAJOR ? {} : { NODE_TEST_KNOWN_GLOBALS: '0' }),
            PRONGHORN_LOG_LEVEL: 'warning',
            PRONGHORN_MEMORY_HUGEPAGES: 'off',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data) => {
            output += data
        })
    const timer = setTimeout(() => {
        output += `\n${basename(file)} did not end within ${TIMEOUT_MS / 1000} s`
        child.kill('SIGKILL')
    }, TIMEOUT_MS)
    return new Promise((resolve) => {
        child.on('close', (code) => {
            clearTimeout(timer)
            running.delete(child)
            resolve({ passed: code === 0, text: output.trim().slice(-4000) })
        })
    })
}
