// SPDX-License-Identifier: Apache-2.0
// Node's servers that stand on net (http, https, tls), listening on our stack: ours accepts, and each connection
// is handed to Node's as its own 'connection' event would.

import type { AddressInfo, BlockList, Server as NodeServer, Socket as NodeSocket } from 'node:net'
import { lendNames } from './names.js'
import { Server } from './server.js'

// biome-ignore lint/suspicious/noExplicitAny: any of Node's server classes
type ServerClass = new (...args: any[]) => NodeServer

interface Secure {
    _handle?: { _parentWrap?: { stream?: NodeSocket } }
}

interface Options {
    blockList?: BlockList
}

interface Idle {
    /** Of http's servers: connections between two requests end with the server. */
    closeIdleConnections?(): void
    highWaterMark?: number
    noDelay?: boolean
    keepAlive?: boolean
    keepAliveInitialDelay?: number
    allowHalfOpen?: boolean
    pauseOnConnect?: boolean
}

/** secure: the server speaks TLS. */
export function overOurs<C extends ServerClass>(Base: C, secure = false): C {
    class Over extends Base {
        readonly #ours: Server

        // biome-ignore lint/suspicious/noExplicitAny: a mixin's constructor takes what its base takes
        constructor(...args: any[]) {
            super(...args)
            // What Node's own net.Server made of the options.
            const given = this as unknown as Idle
            this.#ours = new Server({
                // Under TLS the end of one direction is not ours to answer: what is above has more to say.
                allowHalfOpen: given.allowHalfOpen || secure,
                pauseOnConnect: given.pauseOnConnect,
                noDelay: given.noDelay,
                keepAlive: given.keepAlive,
                keepAliveInitialDelay: (given.keepAliveInitialDelay ?? 0) * 1000,
                blockList: (args[0] as Options | undefined)?.blockList,
                ...(given.highWaterMark === undefined ? {} : { highWaterMark: given.highWaterMark }),
            })
            Object.defineProperty(this.#ours, 'maxConnections', { get: () => this.maxConnections })
            Object.defineProperty(this, 'listening', { get: () => this.#ours.listening })
            this.#ours.on('connection', (socket) => {
                socket.server = this as unknown as Server
                // The TLS socket made now takes over what the one below it says of half-open connections.
                socket.allowHalfOpen = given.allowHalfOpen === true
                this.emit('connection', socket as never)
                if (secure) socket.allowHalfOpen = true
            })
            // Under TLS the socket that the program sees is Node's; ours lies below its stream.
            this.prependListener('secureConnection', (secure: Secure) =>
                lendNames(secure, secure._handle?._parentWrap?.stream),
            )
            for (const event of ['listening', 'close', 'error', 'drop'] as const)
                this.#ours.on(event, (...what: unknown[]) => this.emit(event, ...(what as [never])))
        }

        override listen(...args: unknown[]): this {
            const last = args[args.length - 1]
            if (typeof last === 'function') this.once('listening', args.pop() as () => void)
            ;(this.#ours.listen as (...args: unknown[]) => unknown)(...args)
            return this
        }

        override address(): AddressInfo | string | null {
            return this.#ours.address()
        }

        override close(callback?: (error?: Error) => void): this {
            ;(this as unknown as Idle).closeIdleConnections?.()
            this.#ours.close(callback)
            return this
        }

        override getConnections(callback: (error: Error | null, count: number) => void): this {
            this.#ours.getConnections(callback)
            return this
        }

        override ref(): this {
            this.#ours.ref()
            return this
        }

        override unref(): this {
            this.#ours.unref()
            return this
        }

        override async [Symbol.asyncDispose](): Promise<void> {
            ;(this as unknown as Idle).closeIdleConnections?.()
            await this.#ours[Symbol.asyncDispose]()
        }
    }
    return Over as unknown as C
}
