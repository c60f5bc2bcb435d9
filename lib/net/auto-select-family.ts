// SPDX-License-Identifier: Apache-2.0
// Node's process-wide defaults for trying the addresses of a name in turn; ours follow them.

import net from 'node:net'
import { checkBoolean, checkInteger } from './arguments.js'

/** Whether all addresses of a name are tried, and for how long each. */
export interface Chosen {
    enabled: boolean
    timeout: number
}

const LEAST_TIMEOUT_MS = 10
const MOST_MS = 2 ** 31 - 1

export function autoSelectFamily(options: {
    autoSelectFamily?: boolean
    autoSelectFamilyAttemptTimeout?: number
}): Chosen {
    const enabled = options.autoSelectFamily ?? undefined
    const timeout = options.autoSelectFamilyAttemptTimeout ?? undefined
    if (enabled !== undefined) checkBoolean('options.autoSelectFamily', enabled)
    if (timeout !== undefined) checkInteger('options.autoSelectFamilyAttemptTimeout', timeout, 1, MOST_MS)
    return {
        enabled: enabled ?? net.getDefaultAutoSelectFamily(),
        timeout: Math.max(timeout ?? net.getDefaultAutoSelectFamilyAttemptTimeout(), LEAST_TIMEOUT_MS),
    }
}
