// SPDX-License-Identifier: Apache-2.0
// A UDP echo with pronghorn/posix: blocking calls, so it lives in a worker thread of its own.
//
//     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 npx tsx examples/udp-echo.ts 7
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import * as posix from 'pronghorn/posix'

const LARGEST_DATAGRAM = 65535

function echo(port: number): void {
    // One socket for both: an IPv4 sender appears as ::ffff:a.b.c.d, and is answered by that name.
    const fd = posix.socket(posix.AF_INET6, posix.SOCK_DGRAM)
    posix.bind(fd, '::', port)
    parentPort?.postMessage('listening')
    const buffer = Buffer.alloc(LARGEST_DATAGRAM)
    const from: Partial<posix.Address> = {}
    for (;;) {
        const bytes = posix.recvfrom(fd, buffer, 0, buffer.length, 0, from)
        if (bytes >= 0) posix.sendto(fd, buffer, 0, bytes, 0, from.address as string, from.port as number)
    }
}

/** Starts the echo; resolves when it listens. It ends with the process, or by terminate(). */
export async function serveUdpEcho(port: number): Promise<Worker> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { udpEchoPort: port } })
    await once(worker, 'message')
    worker.unref()
    return worker
}

if (!isMainThread && workerData?.udpEchoPort) echo(workerData.udpEchoPort)
else if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const worker = await serveUdpEcho(Number(process.argv[2] ?? 7))
    worker.ref()
    console.log('udp-echo: listening')
}
