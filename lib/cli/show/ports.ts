// SPDX-License-Identifier: Apache-2.0
import type { PortFact } from '../../stats/index.js'
import { cyan, dim } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'

const list = (words: string[]) => (words.length ? words.join(' ') : dim('none'))

/** Like `ip address`: a head line, then what belongs to it. */
function textOf(port: PortFact): string {
    const on = port.interface ? ` on ${port.interface}` : ''
    const lines = [
        `${port.id}: ${cyan(port.name)} (${port.driver}${on}) mtu ${port.mtu} queues ${port.queues} node ${port.numa_node}`,
        `    link/ether ${port.mac}`,
        ...port.addresses.map((address) => `    ${address.includes(':') ? 'inet6' : 'inet'} ${address}`),
        ...port.gateways.map((gateway) => `    default via ${gateway}`),
        `    by the device: ${list(port.offloads)}`,
        `    in software:   ${list(port.offloads_missing)}`,
    ]
    if (!port.rx_checksum) lines.push('    checksums of received segments are not verified (rx_checksum=off)')
    return lines.join('\n')
}

export const ports = () =>
    viewCommand('ports', 'the network ports: addresses, queues, what the device does by itself').action(
        (options: ViewOptions) =>
            showStats(
                options,
                ({ facts }) => ({ ports: facts.ports }),
                (data) => data.ports.map(textOf).join('\n'),
            ),
    )
