// SPDX-License-Identifier: Apache-2.0

import net from 'node:net'
import type { Socket } from './socket.js'

/**
 * The same socket, for libraries that insist on `instanceof net.Socket`. What they do with it is done with ours;
 * only the question for its class is answered with Node's.
 */
export function asNetSocket(socket: Socket): net.Socket {
    const bound = new Map<unknown, unknown>()
    const shown: object = new Proxy(socket, {
        getPrototypeOf: () => net.Socket.prototype,
        get(target, key) {
            const value = Reflect.get(target, key, target)
            if (typeof value !== 'function' || key === 'constructor') return value
            let call = bound.get(value)
            if (call === undefined) {
                call = (...args: unknown[]) => {
                    const result = Reflect.apply(value, target, args)
                    return result === target ? shown : result
                }
                bound.set(value, call)
            }
            return call
        },
        set: (target, key, value) => Reflect.set(target, key, value, target),
    })
    return shown as net.Socket
}
