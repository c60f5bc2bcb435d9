// SPDX-License-Identifier: Apache-2.0
/* The filters mean what ss means by them: ss itself chooses from the kernel's sockets, we from the same. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { filterFrom } from '../../lib/cli/filter.js'
import { serviceNames, servicePort } from '../../lib/cli/services.js'
import type { SocketStats } from '../../lib/stats/index.js'

const STATES: Record<string, string> = {
    ESTAB: 'established',
    LISTEN: 'listening',
    'CLOSE-WAIT': 'close-wait',
    'FIN-WAIT-2': 'fin-wait-2',
    'TIME-WAIT': 'time-wait',
}

/** Sockets in many states, on both families: [port numbers, the end]. */
async function someSockets(): Promise<[number[], () => void]> {
    const open: { destroy?(): void; close?(): void }[] = []
    const ports: number[] = []
    for (const host of ['127.0.0.1', '::1']) {
        const server = createServer({ allowHalfOpen: true }, (socket) => open.push(socket)).listen(0, host)
        open.push(server)
        await once(server, 'listening')
        const { port } = server.address() as AddressInfo
        ports.push(port)
        const client = async (allowHalfOpen: boolean): Promise<Socket> => {
            const socket = connect({ port, host, allowHalfOpen })
            open.push(socket)
            const accepted = once(server, 'connection')
            await once(socket, 'connect')
            await accepted
            return socket
        }
        await client(true)
        ;(await client(true)).end() // FIN-WAIT-2, and CLOSE-WAIT at the server
        const ended = await client(false)
        const peer = open.at(-1) as Socket
        ended.resume().end()
        await once(peer.resume(), 'end')
        peer.end() // TIME-WAIT here
        await once(ended, 'close')
    }
    const end = () => {
        for (const one of open) one.destroy ? one.destroy() : one.close?.()
    }
    return [ports, end]
}

type Row = SocketStats & { line: string }

function rowsOf(ports: number[], words: string[] = []): Row[] {
    const out = execFileSync('ss', ['-t', '-a', '-n', '-H', ...words], { encoding: 'utf8' })
    return out
        .trimEnd()
        .split('\n')
        .flatMap((line) => {
            // (Of a single state ss does not write the column.)
            const [, state = '', local = '', peer = ''] =
                line.match(/^([A-Z][\w-]*)?\s*\d+\s+\d+\s+(\S+)\s+(\S+)/) ?? []
            const ends = [local, peer].map((end) => {
                const [, address = '', port = ''] = end.match(/^\[?([^\]]*?)(?:%\w+)?\]?:(\d+|\*)$/) ?? []
                return { address: address === '*' ? '::' : address, port: Number(port) || 0 }
            }) as [{ address: string; port: number }, { address: string; port: number }]
            if (!ends.some(({ port }) => ports.includes(port))) return []
            const [own, other] = ends
            return [
                {
                    line: `${local} ${peer}`,
                    state: STATES[state] ?? state,
                    type: 'tcp',
                    local_address: own.address,
                    local_port: own.port,
                    peer_address: other.address,
                    peer_port: other.port,
                } as Row,
            ]
        })
}

const sorted = (rows: Row[]) => rows.map(({ line }) => line).sort()

t.test('as ss', { skip: !existsSync('/usr/bin/ss') && !existsSync('/bin/ss') && 'no ss here' }, async (t) => {
    const [ports, end] = await someSockets()
    t.teardown(end)
    const [a, b] = ports as [number, number]
    const all = rowsOf(ports)
    t.ok(new Set(all.map(({ state }) => state)).size >= 4, [...new Set(all.map(({ state }) => state))].join())
    for (const filter of [
        'state established',
        'state listening',
        'state time-wait',
        'state established state time-wait',
        'exclude established exclude listening',
        'state all exclude time-wait',
        'state connected',
        'state synchronized',
        'state bucket',
        'state big',
        `sport = :${a}`,
        `sport ${a}`,
        `dport :${b}`,
        `dport != :${b}`,
        `sport ge :${a} and sport le :${a}`,
        `( sport = :${a} or dport = :${b} )`,
        `( sport = :${a} or dport = :${b} ) and dst 127.0.0.1`,
        `not dport = :${a}`,
        `! sport = :${a} and ! dport = :${a}`,
        `not sport = :${a} or dport = :${b}`,
        `sport > :${a}`,
        `sport < :${Math.max(a, b)}`,
        'dst 127.0.0.0/8',
        'src 127.0.0.1',
        `src 127.0.0.1:${a}`,
        `dst [::1]:${b}`,
        'dst [::1]',
        `src :${b}`,
        'dst 10.0.0.0/8',
        `state established dst 127.0.0.1 sport != :${a}`,
        `state established state close-wait ( sport = :${a} || sport eq :${b} )`,
        `dport neq :${a} & sport ne :${a}`,
    ]) {
        const words = filter.split(' ')
        const theirs = sorted(rowsOf(ports, words))
        t.same(sorted(all.filter(filterFrom(words))), theirs, `${filter} (${theirs.length})`)
    }
})

t.test(
    "where ss goes from left to right (6.1), against its manual's precedence of and over or",
    async (t) => {
        const filter = filterFrom(['sport = :1 or dport = :2 and dport = :3'])
        t.ok(filter({ local_port: 1, peer_port: 9 } as SocketStats))
        t.notOk(filter({ local_port: 9, peer_port: 2 } as SocketStats))
    },
)

t.test('beyond ss', async (t) => {
    const socket = (port: number, state = 'established') =>
        ({
            type: 'tcp',
            state,
            local_port: port,
            peer_port: 0,
            local_address: '10.1.2.3',
            peer_address: '::',
        }) as SocketStats
    const holds = (filter: string, port: number, state?: string) => filterFrom([filter])(socket(port, state))
    t.same(
        [7999, 8000, 8099, 8100].map((port) => holds('sport 8000-8099', port)),
        [false, true, true, false],
    )
    t.same(
        [7999, 8000].map((port) => holds('sport != :8000-8099', port)),
        [true, false],
    )
    t.same(
        [8000, 8001].map((port) => holds('src 10.0.0.0/8:8001-8002', port)),
        [false, true],
    )
    t.ok(holds('sport = :9 or state listening', 1, 'listening'), 'a state anywhere')
    t.throws(() => holds('sport > 1-2', 1), { message: /a range is = or !=/ })
    t.throws(() => holds('sport no-such-service', 1), { message: /neither a port number/ })
})

t.test('services', { skip: !existsSync('/etc/services') && 'no /etc/services here' }, async (t) => {
    t.equal(servicePort('https'), 443)
    t.equal(servicePort('no-such-service'), undefined)
    t.equal(serviceNames().get('443/tcp'), 'https')
    t.ok(filterFrom(['dport', '=', ':https'])({ peer_port: 443 } as SocketStats))
    t.notOk(filterFrom(['dport https'])({ peer_port: 80 } as SocketStats))
})
