// SPDX-License-Identifier: Apache-2.0
// Whose the sockets of an unmodified program became, and why: the memory file "pronghorn-routes" of
// its process (native/fd/explain.h), found under /proc/<pid>/fd.

import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { ipv4, ipv6 } from './sockets.js'

/** Whose a socket of an unmodified program became. */
export interface Route {
    /** Its descriptor. */
    fd: number
    /** The kernel's number of it. */
    inode: number
    /** Who has it. */
    verdict: 'kernel' | 'ours' | 'both'
    /** Of the socket. */
    type: 'tcp' | 'udp'
    /** What decided; empty: nothing yet. */
    address: string
    /** Of that address. */
    port: number
    /** Ours begins with the first call that waits on it. */
    waiting: boolean
    /** The rule that decided. */
    reason: string
}

const VERDICTS = ['kernel', 'ours', 'both'] as const
const [AF_INET, AF_INET6, SOCK_STREAM] = [2, 10, 1]

/** The rows at `path`, a file of that form. */
function readRows(path: string): Route[] {
    const file = openSync(path, 'r')
    try {
        const header = Buffer.alloc(64)
        if (readSync(file, header, 0, 64, 0) < 64 || header.toString('latin1', 0, 8) !== 'PHROUTES') return []
        if (header.readUInt32LE(8) !== 1) throw new Error('its routes are of another version of Pronghorn')
        const [start, size, used] = [
            header.readUInt32LE(12),
            header.readUInt32LE(16),
            header.readUInt32LE(24),
        ]
        const rows = Buffer.alloc(size * used)
        const count = Math.floor(readSync(file, rows, 0, rows.length, start) / size)
        const routes: Route[] = []
        for (let fd = 0; fd < count; fd++) {
            const row = rows.subarray(fd * size, (fd + 1) * size)
            const inode = Number(row.readBigUInt64LE(0))
            if (inode === 0) continue
            const family = row[10]
            const bytes = row.subarray(16, 32)
            routes.push({
                fd,
                inode,
                verdict: VERDICTS[row[8]!] ?? 'kernel',
                type: row[9] === SOCK_STREAM ? 'tcp' : 'udp',
                address: family === AF_INET ? ipv4(bytes) : family === AF_INET6 ? ipv6(bytes) : '',
                port: row.readUInt16LE(12),
                waiting: row[11] === 1,
                reason: row.toString('utf8', 32, row.indexOf(0, 32)),
            })
        }
        return routes
    } finally {
        closeSync(file)
    }
}

/** undefined: the process has none, since it does not run under the shim or made no socket yet. */
export function readRoutes(pid: number): Route[] | undefined {
    const folder = `/proc/${pid}/fd`
    let found: Route[] | undefined
    // A child has its parent's file as well, under the lower number; its own comes later.
    for (const fd of readdirSync(folder).sort((a, b) => Number(a) - Number(b))) {
        try {
            if (readlinkSync(`${folder}/${fd}`).startsWith('/memfd:pronghorn-routes'))
                found = readRows(`${folder}/${fd}`)
        } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        }
    }
    return found
}

/** fd -> inode of all sockets of a process. */
export function socketInodes(pid: number): Map<number, number> {
    const inodes = new Map<number, number>()
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        try {
            const [, inode] = readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/) ?? []
            if (inode) inodes.set(Number(fd), Number(inode))
        } catch {
            // Closed meanwhile.
        }
    }
    return inodes
}
