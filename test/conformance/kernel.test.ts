// SPDX-License-Identifier: Apache-2.0
// The kernel as the oracle: the same scenarios on its sockets and on ours, traces compared.
import { runPrograms } from '../programs.js'

await runPrograms('release', /^test_conformance_/)
