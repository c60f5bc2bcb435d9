// SPDX-License-Identifier: Apache-2.0
// The set-up when there is nothing to do: quick, quiet, and safe to run twice at once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
// @ts-expect-error plain JavaScript: it also runs before anything is installed
import { distribution, wantedPackages } from '../../tools/setup/system.mjs'

const root = new URL('../..', import.meta.url).pathname

async function setup() {
    const start = performance.now()
    const child = spawn(process.execPath, ['tools/setup/main.mjs'], { cwd: root })
    let text = ''
    child.stdout.on('data', (data) => {
        text += data
    })
    child.stderr.on('data', (data) => {
        text += data
    })
    const [status] = await once(child, 'close')
    return { status, text, ms: performance.now() - start }
}

t.test('a second run does nothing', async (t) => {
    const { status, text, ms } = await setup()
    t.equal(status, 0, text)
    t.notMatch(text, /compiling|npm ci|installing/)
    t.ok(ms < 20_000, `in ${ms.toFixed(0)} ms`)
})

t.test('three at once wait for each other', async (t) => {
    const all = await Promise.all([setup(), setup(), setup()])
    t.strictSame(
        all.map(({ status }) => status),
        [0, 0, 0],
    )
})

t.test('distributions', async (t) => {
    t.equal(distribution('ID=debian\nVERSION_ID="12"\n'), 'debian-12')
    t.equal(distribution('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian\n'), 'ubuntu-24.04')
    t.equal(distribution('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n'), 'ubuntu-24.04')
    t.equal(distribution('ID=debian\nVERSION_ID="13"\n'), 'debian-12', 'the nearest relative')
    t.ok(wantedPackages(false).includes('libdpdk-dev'))
    t.notOk(wantedPackages(false).includes('ethtool'), 'who cannot make namespaces needs no tools for them')
})
