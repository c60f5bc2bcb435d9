// SPDX-License-Identifier: Apache-2.0
// The numbers under the names that nstat and `netstat -s` give them (RFC 4293, 4022, 4113, and the
// kernel's own TcpExt), so that what engineers and their collectors know still works.

import type { SegmentStats } from '../stats/index.js'
import { dim, table } from './text.js'
import { showStats, type ViewOptions, viewCommand } from './view.js'

/** MIB name, and the counters or gauges whose sum it is. */
const MIB: [name: string, ...fields: string[]][] = [
    ['IpInReceives', 'rx_packets'],
    ['IpInHdrErrors', 'drop_rx_malformed', 'drop_rx_checksum_ip'],
    ['IpInAddrErrors', 'drop_rx_not_ours'],
    ['IpInDiscards', 'drop_rx_no_memory', 'drop_rx_device'],
    ['IpOutRequests', 'tx_packets'],
    ['IpOutDiscards', 'drop_tx_ring_full', 'drop_tx_no_memory', 'drop_tx_link_down', 'drop_tx_no_neighbor'],
    ['IpOutNoRoutes', 'drop_tx_no_route'],
    ['IpReasmReqds', 'ip_fragments_in'],
    ['IpReasmFails', 'drop_rx_reassembly'],
    ['IpFragFails', 'drop_tx_too_big'],
    ['IpFragCreates', 'ip_fragments_out'],
    ['IcmpInMsgs', 'icmp_in'],
    ['IcmpOutMsgs', 'icmp_out'],
    ['TcpActiveOpens', 'tcp_connects', 'tcp_connect_failures'],
    ['TcpPassiveOpens', 'tcp_accepts'],
    ['TcpAttemptFails', 'tcp_connect_failures'],
    ['TcpEstabResets', 'tcp_resets_in'],
    ['TcpCurrEstab', 'established'],
    ['TcpInSegs', 'tcp_segments_in'],
    ['TcpOutSegs', 'tcp_segments_out'],
    ['TcpRetransSegs', 'tcp_retransmits'],
    ['TcpInErrs', 'drop_rx_checksum_tcp'],
    ['TcpOutRsts', 'tcp_resets_out'],
    ['TcpInCsumErrors', 'drop_rx_checksum_tcp'],
    ['UdpInDatagrams', 'udp_in'],
    ['UdpNoPorts', 'drop_rx_no_socket'],
    ['UdpInErrors', 'drop_rx_socket_full', 'drop_rx_checksum_udp'],
    ['UdpOutDatagrams', 'udp_out'],
    ['UdpRcvbufErrors', 'drop_rx_socket_full'],
    ['UdpInCsumErrors', 'drop_rx_checksum_udp'],
    ['TcpExtDelayedACKs', 'tcp_delayed_acks'],
    ['TcpExtTW', 'sockets_time_wait'],
    ['TcpExtListenOverflows', 'drop_rx_listen_full'],
    ['TcpExtListenDrops', 'drop_rx_listen_full'],
    ['TcpExtTCPTimeouts', 'tcp_rto'],
    ['TcpExtTCPFastRetrans', 'tcp_fast_retransmits'],
    ['TcpExtTCPOFOQueue', 'tcp_out_of_order'],
    ['TcpExtTCPAbortOnTimeout', 'tcp_timeouts'],
    ['TcpExtTCPKeepAlive', 'tcp_keepalive_probes'],
    ['TcpExtTCPChallengeACK', 'tcp_challenge_acks'],
    ['TcpExtTCPToZeroWindowAdv', 'tcp_zero_window_out'],
    ['TcpExtTCPWinProbe', 'tcp_persist_probes'],
]

export function mibOf(stats: SegmentStats): Record<string, number> {
    const sums: Record<string, number> = {
        established: stats.sockets.filter(
            ({ state, type }) => type === 'tcp' && /^(established|close-wait)$/.test(state),
        ).length,
    }
    for (const { counters, gauges } of stats.stacks)
        for (const [name, value] of [...Object.entries(counters), ...Object.entries(gauges)])
            sums[name] = (sums[name] ?? 0) + value
    return Object.fromEntries(
        MIB.map(([name, ...fields]) => [name, fields.reduce((sum, field) => sum + (sums[field] ?? 0), 0)]),
    )
}

export const snmp = () =>
    viewCommand('snmp', 'the counters by the names of nstat and netstat -s')
        .argument('[names...]', 'only those whose names contain one of these')
        .option('-z, --zeros', 'those that are zero too')
        .action((names: string[], options: ViewOptions & { zeros?: boolean }) =>
            showStats(
                options,
                (stats) => ({
                    counters: Object.fromEntries(
                        Object.entries(mibOf(stats)).filter(([name]) =>
                            names.length
                                ? names.some((part) => name.toLowerCase().includes(part.toLowerCase()))
                                : true,
                        ),
                    ),
                }),
                ({ counters }) =>
                    table(
                        [
                            { head: 'NAME', value: ([name]) => name },
                            { head: 'VALUE', value: ([, value]) => value, right: true },
                            {
                                head: 'COUNTERS',
                                value: ([name]) =>
                                    MIB.find(([mib]) => mib === name)!
                                        .slice(1)
                                        .join(' + '),
                                paint: dim,
                            },
                        ],
                        Object.entries(counters).filter(
                            ([, value]) => options.zeros || names.length > 0 || value > 0,
                        ),
                    ),
                { sockets: true },
            ),
        )
