// SPDX-License-Identifier: Apache-2.0
// What is measured, in the order of the table.

import type { Group } from './row.js'
import { flat } from './rows/flat.js'
import { lifeRow } from './rows/life.js'
import { nodeRows } from './rows/node.js'
import { shimRows } from './rows/shim.js'
import { socketRows } from './rows/sockets.js'
import { toolRow } from './rows/tool.js'

export function allGroups(quick: boolean): Group[] {
    return [...socketRows, flat(quick), lifeRow, ...shimRows, ...nodeRows, toolRow]
}
