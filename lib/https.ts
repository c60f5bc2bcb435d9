// SPDX-License-Identifier: Apache-2.0
// pronghorn/https: node:https on our stack.

import type { ClientRequest, IncomingMessage } from 'node:http'
import https, { type RequestOptions } from 'node:https'
import type { Socket as NodeSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { callable } from './callable.js'
import { withDefaultAgent } from './default-agent.js'
import { type ConnectOptions, connect } from './net/index.js'
import { lendNames } from './net/names.js'
import { overOurs } from './net/over.js'

export * from 'node:https'

type Answered = (response: IncomingMessage) => void
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

export const Agent = callable(AgentClass as unknown as typeof https.Agent)
export type Agent = https.Agent
export const Server = callable(overOurs(https.Server, true))
export type Server = https.Server

export const globalAgent: https.Agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 })

export function request(options: RequestOptions | string | URL, callback?: Answered): ClientRequest
export function request(url: string | URL, options: RequestOptions, callback?: Answered): ClientRequest
export function request(...args: unknown[]): ClientRequest {
    return https.request(...(withDefaultAgent(args, globalAgent) as [string, RequestOptions, Answered]))
}

export function get(options: RequestOptions | string | URL, callback?: Answered): ClientRequest
export function get(url: string | URL, options: RequestOptions, callback?: Answered): ClientRequest
export function get(...args: unknown[]): ClientRequest {
    const sent = request(...(args as [string, RequestOptions, Answered]))
    sent.end()
    return sent
}

export const createServer = ((...args: unknown[]) => new Server(...(args as []))) as typeof https.createServer

export default { ...https, Agent, createServer, get, globalAgent, request, Server }
