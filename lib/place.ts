// SPDX-License-Identifier: Apache-2.0
// Where a socket is served, and the sizes of its buffers: what info() says of sockets of every kind.

import { SO_RCVBUF, SO_SNDBUF, SOL_SOCKET } from './constants.js'
import { native, words } from './native.js'

/** Of every socket. -1 where there is no answer: no stack is chosen yet, or several serve it. */
export interface SocketInfo {
    /** The number of the stack that serves it. */
    stack: number
    /** The core that this stack is pinned to; -1: it is not. */
    core: number
    /** The port that bears its address: DPDK's number of it, as `facts.ports` of `runtime.stats()` has it. */
    port: number
    /** The pair of queues of that port which the stack drives. */
    queue: number
    /** What may wait to be read, bytes (SO_RCVBUF). */
    receiveBufferBytes: number
    /** What may wait to be sent, bytes (SO_SNDBUF). */
    sendBufferBytes: number
}

/** undefined: no descriptor of ours. */
export function socketInfo(fd: number): SocketInfo | undefined {
    if (native.place(fd) < 0) return undefined
    const [stack = -1, core = -1, port = -1, queue = -1] = words
    const size = (name: number) => (native.getsockopt(fd, SOL_SOCKET, name) < 0 ? 0 : (words[0] as number))
    return {
        stack,
        core,
        port,
        queue,
        receiveBufferBytes: size(SO_RCVBUF),
        sendBufferBytes: size(SO_SNDBUF),
    }
}
