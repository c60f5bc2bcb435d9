// SPDX-License-Identifier: Apache-2.0
// The C unit tests under AddressSanitizer and UndefinedBehaviorSanitizer, with all invariants on.
import { runPrograms } from '../programs.js'
import { sanitizerEnvironment } from '../sanitizer.js'

await runPrograms('sanitize', /^test_(?!sim_|conformance_)/, sanitizerEnvironment)
