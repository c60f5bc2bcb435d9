// SPDX-License-Identifier: Apache-2.0
// npm run lint as a part of the tests: one test point per check.
import { spawnSync } from 'node:child_process'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname
const { stdout, stderr, status } = spawnSync(process.execPath, ['tools/lint.mjs'], {
    cwd: root,
    encoding: 'utf8',
})
for (const [, not, name] of stdout.matchAll(/^(not )?ok (.*)$/gm)) t.notOk(not, name)
t.equal(status, 0, 'npm run lint', { findings: stderr })
