// SPDX-License-Identifier: Apache-2.0
// Runs fuzz-program.ts. A failure names the seed; with PRONGHORN_TEST_TRACE the program says what it calls. Long:
// PRONGHORN_TEST_CALLS, PRONGHORN_TEST_SEED (npm run test:long).

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const SEED = Number(process.env.PRONGHORN_TEST_SEED ?? 1)
const CALLS = Number(process.env.PRONGHORN_TEST_CALLS ?? 10_000)
/** Only bounds a hang: a call takes some 30 us, under the sanitizers several times as long. */
const TIMEOUT_MS = 120_000 + CALLS
const program = fileURLToPath(new URL('fuzz-program.ts', import.meta.url))

/** The addon's exports, then the package's calls of POSIX and its rings, with `env` beside the test's own. */
export function fuzz(env: NodeJS.ProcessEnv = {}): void {
    for (const what of ['addon', 'package'])
        for (const seed of [SEED, SEED + 1])
            t.test(`${CALLS} calls of the ${what}, seed ${seed}`, async (t) => {
                const args = ['--import', 'tsx', program, what, String(seed), String(CALLS)]
                // Without tap's own hooks in the child: the sanitizers' library stands before all others there.
                const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
                    env: { ...process.env, NODE_OPTIONS: '', ...env },
                    encoding: 'utf8',
                    timeout: TIMEOUT_MS,
                    maxBuffer: 1 << 28,
                })
                t.same([status, signal], [0, null], stderr.slice(-4000))
                if (status !== 0) return
                const { leaks, answers } = JSON.parse(stdout) as { leaks: string[]; answers: number }
                t.same(leaks, [])
                t.ok(answers > 150, `${answers} different answers`)
            })
}
