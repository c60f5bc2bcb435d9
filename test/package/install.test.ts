// SPDX-License-Identifier: Apache-2.0
// What a C user gets: cmake --install into an empty prefix, pkg-config, a program linked against it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname
const prefix = mkdtempSync(join(tmpdir(), 'pronghorn-prefix-'))
t.teardown(() => rmSync(prefix, { recursive: true, force: true }))

function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    const result = spawnSync(command, args, {
        cwd: prefix,
        encoding: 'utf8',
        env: { ...process.env, ...env },
    })
    return { ok: result.status === 0, text: `${result.stdout}${result.stderr}`.trim() }
}

const installed = run('cmake', ['--install', join(root, 'build/release'), '--prefix', prefix, '--strip'])
t.ok(installed.ok, 'cmake --install', { text: installed.text })

const found = run('find', ['.', '-name', 'pronghorn.pc'])
const env = { PKG_CONFIG_PATH: join(prefix, found.text, '..') }
const flags = run('pkg-config', ['--cflags', '--libs', 'pronghorn'], env)
t.match(flags.text, '-lpronghorn', 'pkg-config')

for (const compiler of ['cc', 'c++']) {
    const language = compiler === 'c++' ? ['-x', 'c++', '-Wno-missing-field-initializers'] : []
    const source = [...language, join(root, 'examples/tcp-echo.c'), '-x', 'none']
    const args = ['-Wall', '-Wextra', '-Werror', ...source, ...flags.text.split(/\s+/), '-o', 'tcp-echo']
    const built = run(compiler, args)
    t.ok(built.ok, `the example builds with ${compiler}`, { text: built.text })
    const ran = run('./tcp-echo', ['version'])
    t.match(ran.text, /^\d+\.\d+\.\d+ \(DPDK .*lwIP.*\)$/, 'and runs')
}

const undefinedNames = run('nm', [
    '-D',
    '--undefined-only',
    join(prefix, found.text, '../../libpronghorn.so'),
])
t.notMatch(undefinedNames.text, / rte_/, 'no symbol of DPDK is left to be found at load time')

const exported = run('nm', ['-D', '--defined-only', join(prefix, found.text, '../../libpronghorn.so')])
const names = exported.text.split('\n').map((line) => line.split(' ').at(-1) as string)
const strange = names.filter(
    (name) => !/^(ph_\w+@@PRONGHORN_\d|\w+@@PRONGHORN_DRIVERS$|PRONGHORN_)/.test(name),
)
t.strictSame(strange, [], 'exported are our calls, and what the plugins need under a version of its own')
for (const plugin of ['af_xdp', 'mlx5']) {
    const { ok, text } = run('ldd', ['-r', join(prefix, found.text, `../../libpronghorn-${plugin}.so`)])
    t.ok(ok && !/undefined symbol|not found/.test(text), `${plugin} is installed beside it`, { text })
}
