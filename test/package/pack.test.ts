// SPDX-License-Identifier: Apache-2.0
// The packed package in an empty folder: installs without running a script, loads on each supported
// Node from its prebuild, has types for both module systems.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-pack-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const NODES = [22, 24]

function run(command: string, args: string[], cwd = folder) {
    // Without the loader that tap puts into every Node by NODE_OPTIONS: users have none.
    const { status, stdout, stderr } = spawnSync('env', ['-u', 'NODE_OPTIONS', command, ...args], {
        cwd,
        encoding: 'utf8',
        timeout: 300_000,
    })
    return { ok: status === 0, stdout, text: `${stdout}${stderr}`.trim() }
}

const packed = run('npm', ['pack', '--pack-destination', folder], root)
t.ok(packed.ok, 'npm pack', { text: packed.text })
const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'none'
const names = run('tar', ['-tzf', tarball]).stdout
for (const wanted of [
    'NOTICE',
    'LICENSE',
    'prebuilds/licences/dpdk.txt',
    'prebuilds/licences/lwip.txt',
    `prebuilds/linux-${process.arch}/libpronghorn.so`,
    `prebuilds/linux-${process.arch}/libpronghorn-tls.so`,
    'pronghorn.schema.json',
    'dist/net.js',
    'dist/net.d.cts',
    'native/CMakeLists.txt',
]) {
    t.ok(names.includes(`package/${wanted}\n`), `${wanted} is in it`)
}
t.notMatch(names, /node_modules|\.test\.ts|\.map\n.*test|\/build\//, 'and nothing that is not meant to be')

writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
// With scripts allowed: there is none that could run (npm's own rebuild for a binding.gyp included).
const installed = run('npm', ['install', '--no-audit', '--no-fund', '--foreground-scripts', `./${tarball}`])
t.ok(installed.ok, 'npm install of the tarball', { text: installed.text })
t.notMatch(installed.text, /node-gyp|install script/i, 'no install script ran or was asked about')

copyFileSync(join(root, 'test/package/fixture/echo.mjs'), join(folder, 'echo.mjs'))
const nodes: [string, string][] = [[process.version, process.execPath]]
for (const major of NODES) {
    const where = join(folder, `node${major}`)
    mkdirSync(where)
    writeFileSync(join(where, 'package.json'), '{ "private": true }\n')
    const got = run(
        'npm',
        ['install', '--no-audit', '--no-fund', `node-linux-${process.arch}@${major}`],
        where,
    )
    const binary = join(where, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
    if (got.ok) nodes.push([`v${major}`, binary])
    else t.pass(`Node ${major}`, { skip: `its npm package cannot be had here: ${got.text.slice(0, 200)}` })
}
for (const [version, binary] of nodes) {
    const ran = run(binary, ['echo.mjs'])
    const result = ran.ok ? JSON.parse(ran.stdout) : {}
    t.ok(ran.ok, `Node ${version} runs it`, { text: ran.text })
    t.match(result, { echoed: 'hello', sameRuntime: true, posix: 'function' }, `an echo on Node ${version}`)
    t.match(result.node ?? '', version)
}

// Types, as a user of either module system sees them.
const program =
    "import { connect, type Socket } from 'pronghorn/net'\nexport const s: Socket = connect(1, 'a')\n"
writeFileSync(join(folder, 'esm.mts'), `${program}import * as posix from 'pronghorn/posix'\nposix.close(1)\n`)
writeFileSync(join(folder, 'cjs.cts'), program)
const tsc = join(root, 'node_modules/.bin/tsc')
const typeRoots = join(root, 'node_modules/@types')
const compiled = run(tsc, [
    ...['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--typeRoots', typeRoots],
    ...['--types', 'node', 'esm.mts', 'cjs.cts'],
])
t.ok(compiled.ok, 'the types serve ES modules and CommonJS', { text: compiled.text })
