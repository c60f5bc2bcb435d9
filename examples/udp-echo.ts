// SPDX-License-Identifier: Apache-2.0
// A UDP echo with pronghorn/posix: the calls of POSIX and nothing else.
//
//     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 npx tsx examples/udp-echo.ts 7
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as posix from 'pronghorn/posix'

const LARGEST_DATAGRAM = 65535
const SLICE_MS = 200

/** Never ends: in a program that does more, it lives in a worker thread of its own. */
export async function serveUdpEcho(port: number, listening: () => void): Promise<never> {
    // One socket for both: an IPv4 sender appears as ::ffff:a.b.c.d, and is answered by that name.
    const fd = posix.socket(posix.AF_INET6, posix.SOCK_DGRAM)
    posix.bind(fd, '::', port)
    listening()
    const buffer = Buffer.alloc(LARGEST_DATAGRAM)
    const from: Partial<posix.Address> = {}
    for (;;) {
        // In slices: a worker inside a call that never returns could not be terminated.
        try {
            posix.poll([{ fd, events: posix.POLLIN }], SLICE_MS)
        } catch (error) {
            // A signal that somebody handles, be it in another thread.
            if ((error as NodeJS.ErrnoException).code !== 'EINTR') throw error
        }
        // The event loop's turn: a handler of signals is called from there.
        await setImmediate()
        for (;;) {
            const bytes = posix.recvfrom(fd, buffer, 0, buffer.length, posix.MSG_DONTWAIT, from)
            if (bytes === posix.AGAIN) break
            posix.sendto(fd, buffer, 0, bytes, 0, from.address as string, from.port as number)
        }
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const port = Number(process.argv[2] ?? 7)
    await serveUdpEcho(port, () => console.log(`udp-echo: listening on port ${port}`))
}
