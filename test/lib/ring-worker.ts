// SPDX-License-Identifier: Apache-2.0
// Reads 10,000 messages through a ring, tells their number, and ends as it is.

import { parentPort, workerData } from 'node:worker_threads'
import * as net from '../../lib/net/index.js'

const { host, port, leave } = workerData as { host: string; port: number; leave: boolean }
const socket = net.connect(port, host)

socket.once('connect', () => {
    const ring = socket.ring()
    let seen = 0
    let bytes = 0
    if (leave) {
        // Nothing is ever released (so the peer has to wait in the end): the worker's end does it.
        ring.onBatch((segments) => {
            for (let i = 0; i < segments; i++) bytes += ring.batch.bytes(i)
            if (bytes > 100_000) parentPort?.postMessage(10_000)
        })
    } else {
        ring.onMessage({ bytes: 64 }, () => {
            seen++
            if (seen === 10_000) parentPort?.postMessage(seen)
        })
    }
})
