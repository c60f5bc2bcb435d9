// SPDX-License-Identifier: Apache-2.0
// pronghorn/tls: node:tls over our sockets.

import tls from 'node:tls'
import { callable } from './callable.js'
import { overOurs } from './net/over.js'
import { connect } from './secure.js'

export * from 'node:tls'
export { connect }

export const Server = callable(
    overOurs(tls.Server as unknown as new () => tls.Server, true),
) as unknown as typeof tls.Server
export type Server = tls.Server

export const createServer = ((...args: unknown[]) =>
    new (Server as unknown as new (...args: unknown[]) => tls.Server)(...args)) as typeof tls.createServer

export default { ...tls, connect, createServer, Server }
