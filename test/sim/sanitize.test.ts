// SPDX-License-Identifier: Apache-2.0
// The simulator under AddressSanitizer and UndefinedBehaviorSanitizer.
import { runPrograms } from '../programs.js'
import { sanitizerEnvironment } from '../sanitizer.js'

await runPrograms('sanitize', /^test_sim_/, sanitizerEnvironment)
