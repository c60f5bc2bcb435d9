// SPDX-License-Identifier: Apache-2.0
// The same under AddressSanitizer and UndefinedBehaviorSanitizer, with all invariants on.
import { runPrograms } from '../programs.js'
import { sanitizerEnvironment } from '../sanitizer.js'

await runPrograms('sanitize', /^test_conformance_/, sanitizerEnvironment)
