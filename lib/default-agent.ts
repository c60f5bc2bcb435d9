// SPDX-License-Identifier: Apache-2.0
// The agent of requests that name none. Not in http.ts, for the reason that secure.ts gives.

import type http from 'node:http'
import type { RequestOptions } from 'node:http'

/** The forms of request(): where options stand, or would stand, and what they get. */
export function withDefaultAgent(args: unknown[], agent: http.Agent): unknown[] {
    const at = typeof args[0] === 'string' || args[0] instanceof URL ? 1 : 0
    const given = args[at]
    const isOptions = typeof given === 'object' && given !== null
    const options = { ...(isOptions ? given : {}) } as RequestOptions
    if (options.agent === false) options.agent = new (agent.constructor as typeof http.Agent)()
    else if (!options.agent && !options.createConnection) options.agent = agent
    return [...args.slice(0, at), options, ...args.slice(isOptions ? at + 1 : at)]
}
