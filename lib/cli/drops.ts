// SPDX-License-Identifier: Apache-2.0
import { green, red, table } from './text.js'
import { showStats, type ViewOptions, viewCommand } from './view.js'

/** What to do about each reason. What it means stands in counters.def; a test sees that none lacks. */
export const REMEDIES: Record<string, string> = {
    drop_rx_device:
        'raise rx_slots= of the port and memory.packets; see "pronghorn explain" for a busy or shared core',
    drop_rx_no_memory: 'raise memory.limit_mib; a flood of fragments or connections also does it',
    drop_rx_malformed:
        'capture them: a broken sender, an MTU that differs (ip link), or segmentation left to a card (ethtool -K PEER tso off gso off)',
    drop_rx_checksum_ip: "a bad cable, card or switch: look at the NIC's error counters (pronghorn show nic)",
    drop_rx_checksum_tcp:
        'on a veth or tap: ethtool -K PEER tx off, or rx_checksum=off for the port; else a bad wire',
    drop_rx_checksum_udp:
        'on a veth or tap: ethtool -K PEER tx off, or rx_checksum=off for the port; else a bad wire',
    drop_rx_not_ours:
        'harmless where the port shares its interface with the kernel; else check address= and the neighbours of the port',
    drop_rx_reassembly: 'fragments are lost on the way: keep datagrams below the MTU, or mend the path',
    drop_rx_no_socket: 'somebody sends to a UDP port number on which nobody listens (show sockets -l)',
    drop_rx_no_connection:
        'somebody connects to a TCP port number on which nobody listens (show sockets -l), or still sends on a connection that is gone',
    drop_rx_socket_full: 'the application reads too slowly: raise udp.receive_buffer_bytes or SO_RCVBUF',
    drop_rx_listen_full:
        'accept() comes too slowly: a larger backlog (listen(), tcp.backlog_max), or a SYN flood',
    drop_rx_tcp_window: 'repetitions after loss; alone they cost nothing',
    drop_rx_injected: 'a rehearsal: pronghorn inject shows which, inject off ends it',
    drop_tx_injected: 'a rehearsal: pronghorn inject shows which, inject off ends it',
    drop_tx_ring_full: 'the device is slower than its senders: raise tx_slots= of the port, or send less',
    drop_tx_no_memory: 'raise memory.packets',
    drop_tx_no_route: 'give the port a gateway= or an address in that network (show routes)',
    drop_tx_no_neighbor:
        'the next hop does not answer: check the wire, VLAN and its address (show neighbors)',
    drop_tx_too_big: "lower the sender's datagrams or raise mtu= of the port",
    drop_tx_link_down: 'the link of the port is down (show ports, show nic)',
}

/** Those that come with healthy traffic, or are on purpose. */
export const EXPECTED_DROPS = /^drop_rx_(tcp_window|not_ours|no_socket|no_connection)$|_injected$/

export const drops = () =>
    viewCommand('drops', 'every packet that was dropped, with the reason and the remedy')
        .option('-z, --zeros', 'reasons that never occurred too')
        .action((options: ViewOptions & { zeros?: boolean }) =>
            showStats(
                options,
                ({ stacks, fields }) => ({
                    drops: fields.stack
                        .filter(({ name }) => name.startsWith('drop_'))
                        .map(({ name, help }) => ({
                            counter: name,
                            direction: name.startsWith('drop_rx') ? 'in' : 'out',
                            packets: stacks.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0),
                            stacks: stacks.map(({ counters }) => counters[name] ?? 0),
                            reason: help,
                            remedy: REMEDIES[name] ?? '',
                        }))
                        .filter(({ packets }) => options.zeros || options.json || packets > 0),
                }),
                (data) =>
                    data.drops.length === 0
                        ? green('Nothing was dropped.')
                        : table(
                              [
                                  {
                                      head: 'PACKETS',
                                      value: (row) => row.packets,
                                      right: true,
                                      paint: (n) => (n.trim() === '0' ? n : red(n)),
                                  },
                                  { head: 'COUNTER', value: (row) => row.counter },
                                  { head: 'REASON AND REMEDY', value: (row) => row.reason },
                              ],
                              data.drops,
                          )
                              .split('\n')
                              .flatMap((line, i) =>
                                  i === 0 || !data.drops[i - 1]!.remedy
                                      ? [line]
                                      : [line, `           -> ${data.drops[i - 1]!.remedy}`],
                              )
                              .join('\n'),
            ),
        )
