// SPDX-License-Identifier: Apache-2.0
// pronghorn/tls: node:tls over our sockets.

import tls from 'node:tls'
import { callable } from './callable.js'
import { overOurs } from './net/over.js'
import { connect } from './secure.js'

export * from 'node:tls'
export { connect }

/** Node's server of TLS, which listens on our stack. With or without `new`. */
export const Server = callable(
    overOurs(tls.Server as unknown as new () => tls.Server, true),
) as unknown as typeof tls.Server
/** Node's server of TLS. */
export type Server = tls.Server

/** A server that does not listen yet; the listener gets each secured connection. Arguments as Node's. */
export const createServer = ((...args: unknown[]) =>
    new (Server as unknown as new (...args: unknown[]) => tls.Server)(...args)) as typeof tls.createServer

/** @hidden */
export default { ...tls, connect, createServer, Server }
