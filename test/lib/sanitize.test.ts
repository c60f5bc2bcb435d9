// SPDX-License-Identifier: Apache-2.0
// The same with addon and core under AddressSanitizer and UndefinedBehaviorSanitizer, with all invariants on. Node
// itself is built without them: the library comes by LD_PRELOAD, and what Node leaves at its end is not looked at.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { sanitizerEnvironment } from '../sanitizer.js'
import { fuzz } from './fuzz.js'

const addon = fileURLToPath(new URL('../../build/sanitize/pronghorn.node', import.meta.url))
const { stdout = '' } = spawnSync('ldd', [addon], { encoding: 'utf8' })
const [, library] = /libasan\S* => (\S+)/.exec(stdout) ?? []

if (!existsSync(addon)) t.plan(0, 'not built')
else if (!library) t.fail(`no libasan: ${stdout}`)
else
    fuzz({
        ...sanitizerEnvironment,
        ASAN_OPTIONS: `${sanitizerEnvironment.ASAN_OPTIONS}:detect_leaks=0`,
        LD_PRELOAD: library,
        PRONGHORN_TEST_ADDON: addon,
    })
