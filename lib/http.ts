// SPDX-License-Identifier: Apache-2.0
// pronghorn/http: node:http on our stack. Parsing, agents and servers are Node's; the sockets are ours.

import http from 'node:http'
import type { Duplex } from 'node:stream'
import { callable } from './callable.js'
import { AGENT_DEFAULTS, requestsOf } from './default-agent.js'
import { connect } from './net/index.js'
import { overOurs } from './net/over.js'

export * from 'node:http'

type Create = (options: object, done?: (error: Error | null, socket: unknown) => void) => unknown

class AgentClass extends http.Agent {
    override createConnection(options: object): Duplex {
        return connect(options)
    }
}

/** Node's Agent, whose connections are ours. With or without `new`. */
export const Agent = callable(AgentClass as unknown as typeof http.Agent)
/** Node's Agent. */
export type Agent = http.Agent
/** Node's server of HTTP, which listens on our stack. With or without `new`. */
export const Server = callable(overOurs(http.Server))
/** Node's server of HTTP. */
export type Server = http.Server

/** What requests without an agent use; it keeps idle connections, for 5 s at most. */
export const globalAgent: http.Agent = new Agent(AGENT_DEFAULTS)

const requests = requestsOf(http, globalAgent)
/**
 * A request that is sent when it is ended; arguments and events as Node's. What fails comes as 'error'.
 *
 * @function
 */
export const request = requests.request
/**
 * The same for GET, sent at once.
 *
 * @function
 */
export const get = requests.get

/**
 * A server that does not listen yet; the listener gets each request. Arguments as Node's.
 *
 * @function
 */
export const createServer = ((...args: unknown[]) => new Server(...(args as []))) as typeof http.createServer

/** For libraries that take a function which opens connections. */
export const createConnection: Create = (options) => connect(options)

/** @hidden */
export default { ...http, Agent, createServer, get, globalAgent, request, Server }
