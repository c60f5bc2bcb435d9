// SPDX-License-Identifier: Apache-2.0
// The packed package in an empty folder: installs without running a script, loads on each supported
// Node from its prebuild, has types for both module systems.
import { spawnSync } from 'node:child_process'
import {
    copyFileSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { nodeOf, OTHER_NODES } from '../node-versions.js'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-pack-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const PLUGINS = ['libpronghorn-af_xdp.so', 'libpronghorn-mlx5.so']

function run(command: string, args: string[], cwd = folder) {
    // Without the loader that tap puts into every Node by NODE_OPTIONS: users have none.
    const { status, stdout, stderr } = spawnSync('env', ['-u', 'NODE_OPTIONS', command, ...args], {
        cwd,
        encoding: 'utf8',
        timeout: 800_000, // only bounds a hang: npm pack compiles everything
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
    ...PLUGINS.map((name) => `prebuilds/linux-${process.arch}/${name}`),
    'pronghorn.schema.json',
    'grafana/pronghorn.json',
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
for (const major of OTHER_NODES) {
    const binary = nodeOf(major)
    if (binary) nodes.push([`v${major}`, binary])
    else t.pass(`Node ${major}`, { skip: 'its npm package cannot be had here' })
}
for (const [version, binary] of nodes) {
    const ran = run(binary, ['echo.mjs'])
    const result = ran.ok ? JSON.parse(ran.stdout) : {}
    t.ok(ran.ok, `Node ${version} runs it`, { text: ran.text })
    t.match(result, { echoed: 'hello', sameRuntime: true, posix: 'function' }, `an echo on Node ${version}`)
    t.match(result.node ?? '', version)
}

// A driver that is a plugin finds all of DPDK in the library beside it, and nowhere else.
const there = join(folder, 'node_modules/pronghorn/prebuilds', `linux-${process.arch}`)
for (const name of PLUGINS) {
    const { ok, text } = run('ldd', ['-r', join(there, name)])
    t.ok(ok && !/undefined symbol|not found/.test(text), `${name} resolves all its symbols`, { text })
    t.match(text, `${there}/libpronghorn.so`)
    t.notMatch(text, /librte_/)
}
const loaded = `
    import { readFileSync } from 'node:fs'
    import { runtime } from 'pronghorn'
    try { runtime.start({ port: 'af_xdp,iface=nope0,address=10.0.0.1/24' }) } catch (error) { console.log(error.message) }
    console.log([...readFileSync('/proc/self/maps', 'utf8').matchAll(/\\S+\\.so\\S*/g)].join(' '))
    process.exit(0)`
writeFileSync(join(folder, 'plugin.mjs'), loaded)
const used = run(process.execPath, ['plugin.mjs']).stdout
t.match(used, /there is no interface nope0/, 'a port asks for its driver')
t.match(used, /prebuilds\/.*libpronghorn-af_xdp\.so/, 'which is loaded from the package')
t.notMatch(used, /libpronghorn-mlx5|libibverbs/, 'and no other')

// Types, as a user of either module system sees them.
const entries = ['dgram', 'http', 'https', 'http2', 'tls', 'undici', 'ring', 'stats', 'posix'].map(
    (name) => `export type ${name} = typeof import('pronghorn/${name}')\n`,
)
const program =
    "import { connect, type Socket } from 'pronghorn/net'\nexport const s: Socket = connect(1, 'a')\n" +
    entries.join('')
writeFileSync(join(folder, 'esm.mts'), `${program}import * as calls from 'pronghorn/posix'\ncalls.close(1)\n`)
writeFileSync(join(folder, 'cjs.cts'), program)
const tsc = join(root, 'node_modules/.bin/tsc')
const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'))
for (const name of examples) copyFileSync(join(root, 'examples', name), join(folder, name))
for (const name of ['undici', 'ioredis', '@types/ws', '@types/node', 'undici-types']) {
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
}
const strictly = ['--strict', '--noUncheckedIndexedAccess']
const modern = ['--noEmit', ...strictly, '--target', 'es2022', '--module', 'nodenext', '--types', 'node']
const compiled = run(tsc, [...modern, 'esm.mts', 'cjs.cts'])
t.ok(compiled.ok, 'the types serve ES modules and CommonJS, without skipLibCheck', { text: compiled.text })
const compiledToo = run(tsc, [...modern, '--skipLibCheck', ...examples])
t.ok(compiledToo.ok, 'and every example', { text: compiledToo.text })
const attw = run(join(root, 'node_modules/.bin/attw'), [tarball, '--profile', 'node16', '--no-emoji'])
t.ok(attw.ok, 'each entry has the types of its own module system (attw)', { text: attw.text })
