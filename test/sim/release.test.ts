// SPDX-License-Identifier: Apache-2.0
// TCP under loss, delay, reordering and duplication, in virtual time.
import { runPrograms } from '../programs.js'

await runPrograms('release', /^test_sim_/)
