// SPDX-License-Identifier: Apache-2.0
// pronghorn/https: node:https on our stack.

import https from 'node:https'
import type { Socket as NodeSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { callable } from './callable.js'
import { AGENT_DEFAULTS, requestsOf } from './default-agent.js'
import { type ConnectOptions, connect } from './net/index.js'
import { lendNames } from './net/names.js'
import { overOurs } from './net/over.js'

export * from 'node:https'

type Create = (this: unknown, options: object, done?: unknown) => Duplex

// Node's own makes the TLS session over a socket that it is given.
const secure = (https.Agent.prototype as unknown as { createConnection: Create }).createConnection

class AgentClass extends https.Agent {
    override createConnection(options: object, done?: unknown): Duplex {
        const socket = connect({ ...options, allowHalfOpen: true } as ConnectOptions)
        const made = secure.call(this, { ...options, socket }, done)
        lendNames(made, socket as unknown as NodeSocket)
        made.allowHalfOpen = false
        return made
    }
}

/** Node's Agent of https, whose connections are ours. With or without `new`. */
export const Agent = callable(AgentClass as unknown as typeof https.Agent)
/** Node's Agent of https. */
export type Agent = https.Agent
/** Node's server of HTTPS, which listens on our stack. With or without `new`. */
export const Server = callable(overOurs(https.Server, true))
/** Node's server of HTTPS. */
export type Server = https.Server

/** What requests without an agent use; it keeps idle connections, for 5 s at most. */
export const globalAgent: https.Agent = new Agent(AGENT_DEFAULTS)

const requests = requestsOf(https, globalAgent)
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
export const createServer = ((...args: unknown[]) => new Server(...(args as []))) as typeof https.createServer

/** @hidden */
export default { ...https, Agent, createServer, get, globalAgent, request, Server }
