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

export const Agent = callable(AgentClass as unknown as typeof http.Agent)
export type Agent = http.Agent
export const Server = callable(overOurs(http.Server))
export type Server = http.Server

/** What requests without an agent use. */
export const globalAgent: http.Agent = new Agent(AGENT_DEFAULTS)

export const { request, get } = requestsOf(http, globalAgent)

export const createServer = ((...args: unknown[]) => new Server(...(args as []))) as typeof http.createServer

/** For libraries that take a function which opens connections. */
export const createConnection: Create = (options) => connect(options)

export default { ...http, Agent, createServer, get, globalAgent, request, Server }
