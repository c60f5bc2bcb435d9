// SPDX-License-Identifier: Apache-2.0
// Requests of http and https through an agent of ours. Not in http.ts, for the reason that secure.ts gives.

import type http from 'node:http'
import type { AgentOptions, ClientRequest, RequestOptions } from 'node:http'
import type https from 'node:https'

/** Of both globalAgents: as Node's own, they keep connections. */
export const AGENT_DEFAULTS: AgentOptions = { keepAlive: true, scheduling: 'lifo', timeout: 5000 }

/** The forms of request(): where options stand, or would stand, and what they get. */
function withDefaultAgent(args: unknown[], agent: http.Agent): unknown[] {
    const at = typeof args[0] === 'string' || args[0] instanceof URL ? 1 : 0
    const given = args[at]
    const isOptions = typeof given === 'object' && given !== null
    const options = { ...(isOptions ? given : {}) } as RequestOptions
    if (options.agent === false) options.agent = new (agent.constructor as typeof http.Agent)()
    else if (!options.agent && !options.createConnection) options.agent = agent
    return [...args.slice(0, at), options, ...args.slice(isOptions ? at + 1 : at)]
}

/** request() and get() of `node`, which open connections by `agent` if none is named. */
export function requestsOf<M extends typeof http | typeof https>(
    node: M,
    agent: http.Agent,
): Pick<M, 'request' | 'get'> {
    function request(...args: unknown[]): ClientRequest {
        return (node as typeof http).request(...(withDefaultAgent(args, agent) as [string, RequestOptions]))
    }
    function get(...args: unknown[]): ClientRequest {
        const sent = request(...args)
        sent.end()
        return sent
    }
    return { request, get } as Pick<M, 'request' | 'get'>
}
