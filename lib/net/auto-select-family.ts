// SPDX-License-Identifier: Apache-2.0
// Node's process-wide defaults for trying the addresses of a name in turn; ours follow them.

import net from 'node:net'
import { outOfRange } from '../errors.js'
import { checkBoolean, checkDuration } from './arguments.js'

interface Chosen {
    enabled: boolean
    timeout: number
}

const LEAST_TIMEOUT_MS = 10

export function autoSelectFamily(options: {
    autoSelectFamily?: boolean
    autoSelectFamilyAttemptTimeout?: number
}): Chosen {
    let timeout = options.autoSelectFamilyAttemptTimeout
    if (options.autoSelectFamily !== undefined)
        checkBoolean('options.autoSelectFamily', options.autoSelectFamily)
    if (timeout !== undefined) {
        timeout = checkDuration('options.autoSelectFamilyAttemptTimeout', timeout)
        if (timeout < 1)
            throw outOfRange('options.autoSelectFamilyAttemptTimeout', '>= 1 && <= 2147483647', timeout)
    }
    return {
        enabled: options.autoSelectFamily ?? net.getDefaultAutoSelectFamily(),
        timeout: Math.max(timeout ?? net.getDefaultAutoSelectFamilyAttemptTimeout(), LEAST_TIMEOUT_MS),
    }
}
