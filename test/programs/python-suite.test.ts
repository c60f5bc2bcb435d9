// SPDX-License-Identifier: Apache-2.0
/*
 * A test-suite that talks to itself: CPython's own of its socket module (some 700 tests, UNIX sockets and
 * passed descriptors among them), with loopback claimed. It fails nowhere where it does not on the kernel.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { LOOPBACK_RULES, runShimmed, shim, skipWithout } from '../preload/support.js'

const python = '/usr/bin/python3'
skipWithout(shim, python)

/* Debian's package of it, unpacked beside us: installed it would want the newest Python. */
function suite(): string | undefined {
    const version = 'import sys; print("python%d.%d" % sys.version_info[:2])'
    const name = spawnSync(python, ['-c', version], { encoding: 'utf8' }).stdout.trim()
    const cache = fileURLToPath(new URL('../../.cache/python-suite', import.meta.url))
    const library = join(cache, 'usr/lib', name)
    if (!existsSync(join(library, 'test/test_socket.py'))) {
        mkdirSync(cache, { recursive: true })
        spawnSync('apt-get', ['-q', 'download', `lib${name}-testsuite`], { cwd: cache, timeout: 120_000 })
        const file = readdirSync(cache).find((one) => one.endsWith('.deb'))
        if (file === undefined) return undefined
        spawnSync('dpkg', ['-x', file, '.'], { cwd: cache })
        rmSync(join(cache, 'usr/share'), { recursive: true, force: true }) // links to nowhere
        cpSync(join('/usr/lib', name, 'test'), join(library, 'test'), { recursive: true, force: false })
    }
    return existsSync(join(library, 'test/test_socket.py')) ? library : undefined
}

const library = suite()
if (library === undefined) {
    t.plan(0, 'its package cannot be had here')
    process.exit(0)
}
// (A VSOCK socket of some virtual machines never answers itself, on the kernel neither.)
const args = ['-m', 'test', 'test_socket', '-v', '-i', '*VSOCK*']
const options = { cwd: t.testdir(), timeoutMs: 200_000 }
const failed = (out: string) => [...out.matchAll(/^(?:ERROR|FAIL): (.*)$/gm)].map(([, name]) => name).sort()

t.test('test_socket', async (t) => {
    const env = { PYTHONPATH: library, PRONGHORN_ROUTE: LOOPBACK_RULES, PRONGHORN_MEMORY_HUGEPAGES: 'off' }
    const { stdout, stderr } = await runShimmed(python, args, env, options)
    const output = stdout + stderr
    t.match(output, /^Ran [67]\d\d tests/m, output.slice(-500))
    if (failed(output).length === 0) return
    const kernel = await run('env', ['-u', 'NODE_OPTIONS', `PYTHONPATH=${library}`, python, ...args], options)
    t.strictSame(failed(output), failed(kernel.stdout + kernel.stderr), 'as on the kernel')
})
