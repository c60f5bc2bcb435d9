// SPDX-License-Identifier: Apache-2.0
// The C unit tests as users get the code: optimised, without invariants.
import { runPrograms } from '../programs.js'

await runPrograms('release', /^test_(?!sim_|conformance_)/)
