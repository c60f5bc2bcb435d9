// SPDX-License-Identifier: Apache-2.0
// An interface of the kernel's that a port stands on (af_packet, af_xdp), and the other end of a veth.

import { spawnSync } from 'node:child_process'
import { type Finding, namesIn, note, ok, problem, textOf } from './machine.js'

const NET = '/sys/class/net'

/** The offloads of a sender that reach us as packets that no wire would carry. */
const HARMFUL = ['tx-checksumming', 'tcp-segmentation-offload', 'generic-segmentation-offload'] as const

/** What `ethtool -k` says is on; undefined: it cannot be asked. */
function offloadsOf(name: string): Set<string> | undefined {
    const { status, stdout } = spawnSync('ethtool', ['-k', name], { encoding: 'utf8' })
    if (status !== 0) return undefined
    return new Set([...stdout.matchAll(/^\s*([a-z-]+): on/gm)].map(([, feature]) => feature!))
}

const isVeth = (name: string) =>
    /^driver: veth$/m.test(spawnSync('ethtool', ['-i', name], { encoding: 'utf8' }).stdout ?? '')

/** The other end's name, if it is in this namespace. */
function peerOf(name: string): string | undefined {
    const link = textOf(`${NET}/${name}/iflink`)
    const own = textOf(`${NET}/${name}/ifindex`)
    if (!link || link === own) return undefined
    return namesIn(NET).find(
        (other) => textOf(`${NET}/${other}/ifindex`) === link && textOf(`${NET}/${other}/iflink`) === own,
    )
}

function checkPeer(name: string): Finding {
    const check = `${name}: peer`
    const peer = peerOf(name)
    if (!peer)
        return note(
            check,
            'the other end of this veth is in another namespace and cannot be looked at from here',
            'there: ethtool -K INTERFACE tx off tso off gso off (or rx_checksum=off for the port)',
        )
    const on = offloadsOf(peer)
    if (!on) return note(check, `the offloads of ${peer} cannot be read`, 'apt install ethtool')
    const harmful = HARMFUL.filter((feature) => on.has(feature))
    const mtu = textOf(`${NET}/${name}/mtu`)
    const theirs = textOf(`${NET}/${peer}/mtu`)
    if (mtu !== theirs)
        return problem(check, `MTU ${mtu} here, ${theirs} at ${peer}`, `ip link set ${peer} mtu ${mtu}`, {
            command: ['ip', 'link', 'set', peer, 'mtu', `${mtu}`],
        })
    if (harmful.length === 0) return ok(check, `${peer} sends what a wire would carry`)
    const command = ['ethtool', '-K', peer, 'tx', 'off', 'tso', 'off', 'gso', 'off']
    return problem(
        check,
        `${peer} leaves its work to a card that is not there (${harmful.join(', ')}): packets without checksums, or too long`,
        command.join(' '),
        { command },
    )
}

export function checkInterface(name: string): Finding[] {
    const state = /^[^/]{1,15}$/.test(name) ? textOf(`${NET}/${name}/operstate`) : undefined
    if (state === undefined)
        return [
            problem(
                name,
                'there is no such interface (here; perhaps in another network namespace)',
                'ip link',
            ),
        ]
    const found =
        state === 'down' || state === 'lowerlayerdown'
            ? problem(name, `its link is ${state}`, `ip link set ${name} up`, {
                  command: ['ip', 'link', 'set', name, 'up'],
              })
            : ok(name, `link ${state}, MTU ${textOf(`${NET}/${name}/mtu`)}`)
    return isVeth(name) ? [found, checkPeer(name)] : [found]
}
