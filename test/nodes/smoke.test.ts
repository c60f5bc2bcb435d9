// SPDX-License-Identifier: Apache-2.0
/*
 * net, dgram, ring, http, workers, the permission model and pronghorn/register on the versions of Node that the
 * package is meant for.
 *
 * PRONGHORN_TEST_NODES=22,24  all tests of test/lib and test/recipes on these versions as well
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { nodeOf, OTHER_NODES } from '../node-versions.js'

const root = new URL('../..', import.meta.url).pathname
const whole = (process.env.PRONGHORN_TEST_NODES ?? '').split(',').map(Number)
const WHOLE_FILE_MS = 300_000

function run(node: string, ...args: string[]) {
    // Without the loader that tap puts into every Node by NODE_OPTIONS.
    const result = spawnSync('env', ['-u', 'NODE_OPTIONS', node, ...args], {
        cwd: root,
        encoding: 'utf8',
        timeout: 120_000,
        env: { ...process.env, PRONGHORN_MEMORY_HUGEPAGES: 'off' },
    })
    t.equal(result.status, 0, `${args.at(-1)} ends by itself`, { text: result.stderr })
    return result.status === 0 ? JSON.parse(result.stdout) : {}
}

for (const major of [Number.parseInt(process.version.slice(1), 10), ...OTHER_NODES]) {
    const node = nodeOf(major)
    if (node === undefined) {
        t.pass(`Node ${major}`, { skip: 'its npm package cannot be had here' })
        continue
    }
    const seen = {
        echo: 'hello',
        long: 1_000_000,
        worker: 'from a worker',
        http: 'hello /x',
        dgram: 'ping',
        ring: { received: 1000, wrong: 0 },
        info: 'object',
    }
    t.strictSame(run(node, 'test/nodes/program.mjs'), seen, `Node ${major}`)
    const model = major >= 24 ? '--permission' : '--experimental-permission'
    const allowed = ['--allow-addons', '--allow-worker', '--allow-fs-read=*', '--allow-fs-write=*']
    t.strictSame(run(node, model, ...allowed, 'test/nodes/program.mjs'), seen, `Node ${major}: ${model}`)
    t.match(
        run(node, '--import', join(root, 'dist/register.js'), 'test/lib/register/program.mjs'),
        {
            ...{
                body: 'hello /x',
                fetched: 'hello /fetch',
                streamed: 'h2 /y',
                same: true,
                instance: true,
                dgram: true,
            },
            ...{ kernel: false, kernelInChild: true, webSocket: major >= 22 ? 'ours' : /./ },
        },
        `Node ${major}: pronghorn/register`,
    )
    if (!whole.includes(major)) continue
    for (const group of ['lib', 'recipes']) {
        const folder = join(root, 'test', group)
        for (const name of readdirSync(folder).filter((file) => file.endsWith('.test.ts'))) {
            await t.spawn('env', ['-u', 'NODE_OPTIONS', node, '--import', 'tsx', join(folder, name)], {
                name: `Node ${major}: ${group}/${name}`,
                cwd: root,
                timeout: WHOLE_FILE_MS,
            })
        }
    }
}
