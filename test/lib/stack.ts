// SPDX-License-Identifier: Apache-2.0
// Where the tests of lib/ get their stack and its address from: two stacks in this process, joined by
// the in-process wire, without any privilege. Servers listen on `host`.

import { runtime } from '../../lib/index.js'

export const host = process.env.PRONGHORN_TEST_HOST ?? '10.87.0.2'
/** An address of ours on which nobody listens. */
export const other = process.env.PRONGHORN_TEST_HOST ? '127.0.0.2' : '10.87.0.1'

/** For child processes of a test, too: the same stack by the environment. */
export const settings: Record<string, string> = {
    PRONGHORN_LOG_LEVEL: 'warning',
    PRONGHORN_PORT: 'wire,id=0,address=10.87.0.1/24,stacks=0;wire,id=0,address=10.87.0.2/24,stacks=1',
    PRONGHORN_STACK_CORES: process.env.PRONGHORN_STACK_CORES ?? '0,1',
}

export function startStack(): void {
    // (What a test has set for its child is left as it is.)
    if (process.env.PRONGHORN_TEST_HOST === undefined)
        Object.assign(process.env, { ...settings, ...process.env })
    runtime.start()
}
