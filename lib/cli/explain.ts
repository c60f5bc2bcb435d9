// SPDX-License-Identifier: Apache-2.0
// Whose each socket of a process is (ours, the kernel's, or both), which rule decided it, and what
// would change it; and what makes ours slow (findings.ts).

import { readFileSync } from 'node:fs'
import {
    listProcesses,
    readRoutes,
    readSegment,
    type SegmentStats,
    type SocketStats,
    socketInodes,
} from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import type { Finding } from './finding.js'
import { findingsOf, findingsText } from './findings.js'
import { dim, green, table, yellow } from './text.js'
import { choosePid, headLine, seconds, show, type ViewOptions, viewCommand } from './view.js'

interface Row {
    fd: number
    owner: 'ours' | 'kernel' | 'both' | 'undecided'
    type: string
    address: string
    reason: string
    /** What would change it. */
    remedy: string
}

const endpoint = (address: string, port: number) =>
    address === '' ? '' : `${address.includes(':') ? `[${address}]` : address}:${port}`

const bothEnds = (socket: SocketStats) =>
    endpoint(socket.local_address, socket.local_port) +
    (socket.peer_port ? ` > ${endpoint(`${socket.peer_address}`, Number(socket.peer_port))}` : '')

/** The kernel's table of internet sockets: inode -> protocol and addresses. */
function kernelSockets(pid: number): Map<number, { type: string; address: string }> {
    const sockets = new Map<number, { type: string; address: string }>()
    const ip = (hex: string) => {
        const bytes = Buffer.from(hex, 'hex')
        for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse()
        return bytes.length === 4 ? bytes.join('.') : (bytes.toString('hex').match(/.{4}/g)?.join(':') ?? '')
    }
    for (const name of ['tcp', 'tcp6', 'udp', 'udp6']) {
        let text = ''
        try {
            text = readFileSync(`/proc/${pid}/net/${name}`, 'utf8')
        } catch {
            continue
        }
        for (const line of text.split('\n').slice(1)) {
            const fields = line.trim().split(/\s+/)
            const [host, port] = (fields[1] ?? '').split(':')
            if (!host || !port || !fields[9]) continue
            sockets.set(Number(fields[9]), {
                type: name.slice(0, 3),
                address: endpoint(ip(host), Number.parseInt(port, 16)),
            })
        }
    }
    return sockets
}

function remedyOf(reason: string): string {
    if (/no port of ours/.test(reason)) return 'configure a port (--port, PRONGHORN_PORT)'
    if (/serves connections in children/.test(reason))
        return 'a rule ours,process=...,use=listen, if it does not fork'
    if (/has the addresses/.test(reason)) return 'stop that process, or give this one a port of its own'
    if (/forked from/.test(reason)) return 'nothing in this process; one that starts by itself can'
    if (/^rule:/.test(reason)) return 'the setting route'
    if (
        /own addresses are the kernel's|interface of the kernel's|no address of our ports|multicast/.test(
            reason,
        )
    )
        return 'a rule ours,address=... in the setting route'
    if (/gateway/.test(reason)) return 'gateway=... in the port line'
    return ''
}

function rowsOf(pid: number): Row[] {
    const routes = readRoutes(pid)
    let ours: SocketStats[] = []
    try {
        ours = readSegment(pid, {}).sockets ?? []
    } catch {
        // Its stacks have not started.
    }
    if (routes === undefined && ours.length === 0)
        throw new Failure(
            `process ${pid} does not run on Pronghorn, or has made no TCP or UDP socket yet`,
            EXIT.noProcess,
        )
    const inodes = socketInodes(pid)
    const kernels = kernelSockets(pid)
    const byFd = new Map((routes ?? []).map((route) => [route.fd, route]))
    const served = new Map(ours.filter(({ fd }) => fd >= 0).map((socket) => [socket.fd, socket]))
    const rows: Row[] = []
    for (const [fd, inode] of [...inodes].sort(([a], [b]) => a - b)) {
        const route = byFd.get(fd)?.inode === inode ? byFd.get(fd) : undefined
        const socket = served.get(fd)
        const there = kernels.get(inode)
        if (route) {
            rows.push({
                fd,
                owner: route.verdict,
                type: route.type,
                // Bound to any port, it was noted before the kernel chose one.
                address: (route.port === 0 && there?.address) || endpoint(route.address, route.port),
                reason: `${route.reason}${route.waiting ? ' (starts when it is first waited on)' : ''}`,
                remedy: route.verdict === 'kernel' ? remedyOf(route.reason) : '',
            })
        } else if (socket) {
            rows.push({
                fd,
                owner: 'ours',
                type: String(socket.type),
                address: `${endpoint(socket.local_address, socket.local_port)} <- ${endpoint(socket.peer_address, socket.peer_port)}`,
                reason: 'accepted by a listener of ours',
                remedy: '',
            })
        } else if (there) {
            const reason = 'accepted by the kernel, inherited, or made inside libc'
            rows.push({ fd, owner: 'kernel', ...there, reason, remedy: '' })
        }
    }
    // Numbers that are no kernel descriptors (TypeScript).
    for (const [fd, socket] of served)
        if (!inodes.has(fd))
            rows.push({
                fd,
                owner: 'ours',
                type: String(socket.type),
                address: bothEnds(socket),
                reason:
                    socket.state === 'listening'
                        ? 'a listener of this program'
                        : 'the program uses our calls',
                remedy: '',
            })
    return rows.sort((a, b) => a.fd - b.fd)
}

const paint = (text: string, { owner }: Row) =>
    owner === 'kernel' ? dim(text) : owner === 'both' ? yellow(text) : green(text)

/** A process under the shim whose stacks have not started is no process of Pronghorn's yet. */
function pidOf(options: ViewOptions, given: string | undefined): number {
    const pid = given ?? options.pid
    if (pid !== undefined && /^\d+$/.test(pid)) return Number(pid)
    return choosePid({ ...options, ...(pid !== undefined && { pid }) })
}

interface Options extends ViewOptions {
    interval: number
}

/** Why sockets are the kernel's, where something could be done about it. */
function fallBacks(rows: Row[]): Finding[] {
    const reasons = new Map<string, Row[]>()
    for (const row of rows)
        if (row.owner === 'kernel' && row.remedy !== '')
            reasons.set(row.reason, [...(reasons.get(row.reason) ?? []), row])
    return [...reasons].map(([reason, those]) => ({
        cause: 'kernel' as const,
        about: those.length === 1 ? `fd ${those[0]!.fd}` : `${those.length} sockets`,
        what: `the kernel's, not accelerated: ${reason}`,
        remedy: those[0]!.remedy,
    }))
}

const NOT_STARTED = 'Its stacks have not started: no socket of it is ours yet.'

const socketsText = (sockets: Row[]) =>
    sockets.length === 0
        ? 'no TCP or UDP sockets'
        : table<Row>(
              [
                  { head: 'fd', value: (row) => row.fd, right: true },
                  { head: 'whose', value: (row) => row.owner, paint },
                  { head: 'type', value: (row) => row.type },
                  { head: 'address', value: (row) => row.address },
                  { head: 'why', value: (row) => row.reason },
                  { head: 'what would change it', value: (row) => row.remedy },
              ],
              sockets,
          )

export const explain = () =>
    viewCommand('explain', 'whose each socket of a program is and why, and what makes those of ours slow')
        .argument('[process]', 'pid or name (default: the newest)')
        .argument('[fd]', 'one descriptor')
        .option('-i, --interval <seconds>', 'how long to look', seconds, 1)
        .action((process: string | undefined, fd: string | undefined, options: Options) => {
            const pid = pidOf(options, process)
            let stats: SegmentStats | undefined
            return show(options, {
                collect: async () => {
                    let rows: Row[]
                    try {
                        rows = rowsOf(pid)
                    } catch (error) {
                        if (error instanceof Failure) throw error
                        const { code, message } = error as NodeJS.ErrnoException
                        throw new Failure(
                            code === 'ENOENT' ? `there is no process ${pid}` : `process ${pid}: ${message}`,
                            code === 'ENOENT' ? EXIT.noProcess : EXIT.unreadable,
                        )
                    }
                    if (fd !== undefined) {
                        rows = rows.filter((row) => row.fd === Number(fd))
                        if (rows.length === 0)
                            throw new Failure(`process ${pid} has no TCP or UDP socket with the number ${fd}`)
                    }
                    const name = listProcesses().find((one) => one.pid === pid)?.name
                    const number = fd === undefined ? undefined : Number(fd)
                    const found = name
                        ? await findingsOf({ ...options, pid: `${pid}` }, options.interval, number)
                        : undefined
                    stats = found?.stats
                    const findings = [...(found?.findings ?? []), ...fallBacks(rows)]
                    return { pid, ...(name && { name }), sockets: rows, findings }
                },
                text: ({ sockets, findings }) =>
                    stats
                        ? `${headLine(stats)}\n${socketsText(sockets)}\n\n${findingsText(findings)}`
                        : `${socketsText(sockets)}\n\n${dim(NOT_STARTED)}${findings.length ? `\n${findingsText(findings)}` : ''}`,
            })
        })
