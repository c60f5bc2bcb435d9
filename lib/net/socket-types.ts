// SPDX-License-Identifier: Apache-2.0
// What a socket takes, and what it tells.

import type { BlockList, SocketConstructorOpts } from 'node:net'
import type { OnReadOptions } from './arguments.js'
import type { Server } from './server.js'
import type { TuningOptions } from './tuning.js'

/** node:net's options, and what a server gives to the sockets it accepts. */
export interface SocketOptions extends SocketConstructorOpts, TuningOptions {
    /** Of the stream's buffers, bytes. */
    highWaterMark?: number
    /** Whereto no connection is made. */
    blockList?: BlockList
    /** Accepted with pauseOnConnect: nothing is read until resume(). */
    pauseOnCreate?: boolean
    /** Receives into memory of the program's own, without a stream between. */
    onread?: OnReadOptions
    /** Of an accepted connection. */
    server?: Server
}

/** Of a socket, with what their listeners are given. */
export interface SocketEvents {
    close: [hadError: boolean]
    connect: []
    connectionAttempt: [ip: string, port: number, family: number]
    connectionAttemptFailed: [ip: string, port: number, family: number, error: Error]
    connectionAttemptTimeout: [ip: string, port: number, family: number]
    data: [data: Buffer]
    drain: []
    end: []
    error: [error: Error]
    lookup: [error: Error, address: string, family: string, host: string]
    ready: []
    timeout: []
}
