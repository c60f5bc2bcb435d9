// SPDX-License-Identifier: Apache-2.0
// Names of port numbers, as services(5) has them. A machine without the file has numbers.

import { textOf } from './machine.js'

const FILE = '/etc/services'

function* rows(): Generator<{ name: string; aliases: string[]; at: string }> {
    for (const line of (textOf(FILE) ?? '').split('\n')) {
        const [name = '', at = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
        // (Nothing that is shown may steer the terminal.)
        if (/^\d+\/(tcp|udp)$/.test(at) && /^[\x21-\x7e]+$/.test(name)) yield { name, aliases, at }
    }
}

/** "443/tcp" -> "https"; the first name of each. */
export function serviceNames(): Map<string, string> {
    const names = new Map<string, string>()
    for (const { name, at } of rows()) if (!names.has(at)) names.set(at, name)
    return names
}

/** "https" -> its port number, undefined: there is no such service. */
export function servicePort(wanted: string): number | undefined {
    for (const { name, aliases, at } of rows())
        if (name === wanted || aliases.includes(wanted)) return Number(at.split('/')[0])
    return undefined
}
