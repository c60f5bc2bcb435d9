// SPDX-License-Identifier: Apache-2.0
// Options given as an object become the (name, text) pairs that the core reads settings from.
// docs/configuration.md lists the names.

import type { PortSettings, Settings } from './config-types.js'
import { invalidType } from './errors.js'

/** One network port as an object: its device, and its settings by name. */
export type PortOptions = PortSettings

/** Settings by section: { stack: { cores: '2,3' }, port: ['af_packet,iface=eth1'] }. */
export type Options = Settings

function textOf(name: string, value: unknown): string {
    switch (typeof value) {
        case 'boolean':
            return value ? 'on' : 'off'
        case 'number':
        case 'string':
        case 'bigint':
            return String(value)
        default:
            throw invalidType(
                `options.${name}`,
                'a string, a number, a boolean or an object of settings',
                value,
            )
    }
}

function portLine(port: string | PortOptions): string {
    if (typeof port === 'string') return port
    if (port === null || typeof port !== 'object' || typeof port.device !== 'string')
        throw invalidType('options.port', 'a line of text or an object with a device', port)
    const { device, ...settings } = port
    const pairs = Object.entries(settings).flatMap(([name, value]) => {
        const texts = (Array.isArray(value) ? value : [value]).map((one) => textOf(`port.${name}`, one))
        // Of a port's lists these are repeated; in all others a plus stands between the elements.
        const repeats = name === 'address' || name === 'gateway'
        return (repeats ? texts : [texts.join('+')]).map((text) => `${name}=${text}`)
    })
    return [device, ...pairs].join(',')
}

/** [key, value, key, value, ...] for the core. What is meant for JavaScript's side is left out. */
export function settingsOf(options: Options): string[] {
    const settings: string[] = []
    const walk = (prefix: string, section: object) => {
        for (const [name, value] of Object.entries(section)) {
            const key = prefix + name
            if (value === undefined) continue
            if (key === 'port') {
                const ports = Array.isArray(value) ? value : [value]
                settings.push(key, ports.map(portLine).join(';'))
            } else if (key === 'route') {
                settings.push(key, (Array.isArray(value) ? value : [value]).join(';'))
            } else if (Array.isArray(value)) {
                settings.push(key, value.map((one) => textOf(key, one)).join(','))
            } else if (value !== null && typeof value === 'object') {
                walk(`${key}.`, value)
            } else {
                settings.push(key, textOf(key, value))
            }
        }
    }
    walk('', options)
    return settings
}
