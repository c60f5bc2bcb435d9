// SPDX-License-Identifier: Apache-2.0
// pronghorn/http: node:http on our stack. Parsing, agents and servers are Node's; the sockets are ours.

import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { callable } from './callable.js'
import { withDefaultAgent } from './default-agent.js'
import { connect } from './net/index.js'
import { overOurs } from './net/over.js'

export * from 'node:http'

type Answered = (response: IncomingMessage) => void
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

/** What requests without an agent use; as Node's own, it keeps connections. */
export const globalAgent: http.Agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 })

export function request(options: RequestOptions | string | URL, callback?: Answered): ClientRequest
export function request(url: string | URL, options: RequestOptions, callback?: Answered): ClientRequest
export function request(...args: unknown[]): ClientRequest {
    return http.request(...(withDefaultAgent(args, globalAgent) as [string, RequestOptions, Answered]))
}

export function get(options: RequestOptions | string | URL, callback?: Answered): ClientRequest
export function get(url: string | URL, options: RequestOptions, callback?: Answered): ClientRequest
export function get(...args: unknown[]): ClientRequest {
    const sent = request(...(args as [string, RequestOptions, Answered]))
    sent.end()
    return sent
}

export const createServer = ((...args: unknown[]) => new Server(...(args as []))) as typeof http.createServer

/** For libraries that take a function which opens connections. */
export const createConnection: Create = (options) => connect(options)

export default { ...http, Agent, createServer, get, globalAgent, request, Server }
