#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * node tools/generate/config.mjs [--check]: documentation, TypeScript types and JSON schema of the
 * settings, from native/config/keys.def and port_keys.def (and the devices of native/port/vdev.def).
 */
import { formatJson, generate, markdownTable, readTable, rowsOf } from './lib/def.mjs'

const KEY_NAMES = ['path', 'field', 'type', 'default', 'min', 'max', 'help']
const table = readTable('native/config/keys.def')
const keys = rowsOf(table, 'KEY', KEY_NAMES)
const words = rowsOf(table, 'WORD', ['type', 'constant', 'text', 'help'])
const environment = rowsOf(table, 'ENVIRONMENT', ['prefix', 'help'])
const portKeys = rowsOf(readTable('native/config/port_keys.def'), 'PORT_KEY', KEY_NAMES)
const devices = rowsOf(readTable('native/port/vdev.def'), 'VDEV', [
    'name',
    'driver',
    'queues',
    'traits',
    'arguments',
    'help',
])

const points = rowsOf(readTable('native/base/trace.def'), 'TRACE_POINT', [
    'name',
    'word',
    'first',
    'second',
    'help',
])

const wordsOf = (type) => words.filter((word) => word.type === type)
const takesUnit = (key) => key.path.endsWith('_bytes')
const isNumber = (key) => key.type === 'u32' || key.type === 'u64'
const variableOf = (key) => `PRONGHORN_${key.path.replaceAll('.', '_').toUpperCase()}`
const sections = [
    ...new Set(keys.filter((key) => key.path.includes('.')).map((key) => key.path.split('.')[0])),
]
const inSection = (section) => keys.filter((key) => key.path.startsWith(`${section}.`))
const nameIn = (key) => key.path.slice(key.path.indexOf('.') + 1)
const portsKey = keys.find((key) => key.type === 'ports')
const routesKey = keys.find((key) => key.type === 'routes')

/** What a user may write, in words. */
function accepts(key) {
    if (wordsOf(key.type).length)
        return wordsOf(key.type)
            .map((word) => `\`${word.text}\``)
            .join(', ')
    switch (key.type) {
        case 'bool':
            return '`on`, `off`'
        case 'u32':
        case 'u64':
            return `${key.min} to ${key.max}${takesUnit(key) ? ' (K, M, G may follow)' : ''}`
        case 'string':
            return `text, at most ${key.max} characters`
        case 'range':
            return `first-last, ${key.min} to ${key.max}`
        case 'cores':
            return `list like ${key.path.includes('.') ? '1,3-5' : '1+3-5'}, each ${key.min} to ${key.max}`
        case 'trace':
            return '`none`, `all`, or a list of points'
        case 'addresses':
            return 'IPv4 or IPv6 address/prefix length'
        case 'gateways':
            return 'IPv4 or IPv6 address'
        case 'mac':
            return 'like 02:00:00:00:00:01'
        default:
            return 'list of port lines'
    }
}

// ---- docs/configuration.md --------------------------------------------------------------------------

const shown = (text) => (text === '' ? '' : `\`${text}\``)
const rowsFor = (list, name) =>
    list.map((key) => [`\`${name(key)}\``, shown(key.default), accepts(key), key.help])

function wordLists(list) {
    const lists = list.filter((key) => wordsOf(key.type).length)
    return lists.map(
        (key) =>
            `\`${key.path}\`: ${wordsOf(key.type)
                .map((word) => `**${word.text}**: ${word.help}`)
                .join('; ')}.\n`,
    )
}

const pointList = (list) =>
    list.some(({ type }) => type === 'trace')
        ? [
              markdownTable(
                  ['point', 'values', 'when'],
                  points.map(({ word, first, second, help }) => [
                      `\`${word}\``,
                      `\`${first}\`, \`${second}\``,
                      help,
                  ]),
              ),
          ]
        : []

const documentation = `<!-- Made by tools/generate/config.mjs from native/config/keys.def: change it there. -->
# Configuration

Settings come from four places; the later wins:

1. the defaults below;
2. the file that \`PRONGHORN_CONFIG\` names, else \`pronghorn.json\` in the current directory if there is one;
3. environment variables: \`stack.cores\` is \`${variableOf({ path: 'stack.cores' })}\`;
4. the caller: \`ph_init()\` in C, the options object in TypeScript.

An unknown name or a wrong value is an error, which names the setting, its value, where it was set, and the remedy.

In the file, dots are levels, lists are JSON lists, and a port is a line or an object. The schema gives
completion and checks in editors:

    {
        "$schema": "./node_modules/pronghorn/pronghorn.schema.json",
        "stack": { "cores": [2, 3], "idle": "poll" },
        "port": [
            { "device": "0000:3b:00.0", "address": ["10.0.0.2/24", "fd00::2/64"], "gateway": "10.0.0.1" }
        ]
    }

The same in the environment:

    PRONGHORN_STACK_CORES=2,3 PRONGHORN_STACK_IDLE=poll \\
    PRONGHORN_PORT='0000:3b:00.0,address=10.0.0.2/24,address=fd00::2/64,gateway=10.0.0.1' ./server

${sections
    .map((section) =>
        [
            `## ${section}\n`,
            markdownTable(
                ['setting', 'default', 'values', 'what'],
                rowsFor(inSection(section), (key) => key.path),
            ),
            ...wordLists(inSection(section)),
            ...pointList(inSection(section)),
        ].join('\n'),
    )
    .join('\n')}
## port

\`port\`: ${portsKey.help}

A line is a device, then \`name=value\` pairs, separated by commas:

    af_packet,iface=eth1,address=10.0.0.2/24,gateway=10.0.0.1

The device is a PCI address (\`0000:3b:00.0\`) or one of these:

${markdownTable(
    ['device', 'what', 'queues at most'],
    devices.map((device) => [`\`${device.name}\``, device.help, device.queues]),
)}
${markdownTable(
    ['name', 'default', 'values', 'what'],
    rowsFor(portKeys, (key) => key.path),
)}
${wordLists(portKeys).join('\n')}
## route

\`route\`: ${routesKey.help}

    PRONGHORN_ROUTE='kernel,process=ssh;ours,type=tcp,use=connect,address=10.0.0.0/8,port=5432'

## Variables that are no settings

${markdownTable(
    ['variable', 'what'],
    environment.map(({ prefix, help }) => [`\`${prefix}${prefix.endsWith('_') ? '...' : ''}\``, help]),
)}`

// ---- lib/config-types.ts ----------------------------------------------------------------------------

function typeOf(key) {
    if (wordsOf(key.type).length)
        return wordsOf(key.type)
            .map((word) => `'${word.text}'`)
            .join(' | ')
    switch (key.type) {
        case 'bool':
            return 'boolean'
        case 'u32':
        case 'u64':
            return takesUnit(key) ? 'Bytes' : 'number'
        case 'cores':
            return 'string | number | (string | number)[]'
        case 'trace':
            return 'string | string[]'
        case 'addresses':
            return 'string | string[]'
        case 'gateways':
            return 'string | string[]'
        default:
            return 'string'
    }
}

function comment(key, indent) {
    const facts = [
        isNumber(key) ? `${key.min} to ${key.max}.` : '',
        key.default ? `Default: ${key.default}.` : '',
    ]
    const text = [key.help, ...facts].filter(Boolean).join(' ')
    const lines = ['']
    for (const word of text.split(' ')) {
        if (lines.at(-1).length + word.length > 96) lines.push('')
        lines[lines.length - 1] += `${lines.at(-1) ? ' ' : ''}${word}`
    }
    if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
    return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`
}

const member = (key, name, indent) => `${comment(key, indent)}${indent}${name}?: ${typeOf(key)}\n`

const types = `// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/config/keys.def: change it there.

/** A number of bytes; '256K', '4M' and '1G' are powers of 1024. */
export type Bytes = number | \`\${number}\${'K' | 'M' | 'G'}\`

/** One network port: its device (${devices.map((device) => device.name).join(', ')},
 * or a PCI address), and what is different from the defaults. */
export interface PortSettings {
    device: string
${portKeys.map((key) => member(key, key.path, '    ')).join('')}}

/** What docs/configuration.md describes; pronghorn.json has the same form. */
export interface Settings {
    /** ${portsKey.help.replace(/ In a file.*?objects\./, '')} */
    port?: string | PortSettings | (string | PortSettings)[]
    /** ${routesKey.help} */
    route?: string | string[]
${sections
    .map(
        (section) =>
            `    ${section}?: {\n${inSection(section)
                .map((key) => member(key, nameIn(key), '        '))
                .join('')}    }\n`,
    )
    .join('')}}
`

// ---- pronghorn.schema.json --------------------------------------------------------------------------

function schemaOf(key) {
    const described = { description: key.help }
    if (key.default !== '' && key.type !== 'ports') described.default = schemaDefault(key)
    if (wordsOf(key.type).length) return { ...described, enum: wordsOf(key.type).map((word) => word.text) }
    switch (key.type) {
        case 'bool':
            return { ...described, type: 'boolean' }
        case 'u32':
        case 'u64': {
            const number = { type: 'integer', minimum: Number(key.min), maximum: Number(key.max) }
            if (!takesUnit(key)) return { ...described, ...number }
            return { ...described, anyOf: [number, { type: 'string', pattern: '^[0-9]+[KMGkmg]?$' }] }
        }
        case 'range':
            return { ...described, type: 'string', pattern: '^[0-9]+(-[0-9]+)?$' }
        case 'cores': {
            const one = { type: 'integer', minimum: Number(key.min), maximum: Number(key.max) }
            const text = { type: 'string', pattern: '^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?$' }
            return { ...described, anyOf: [text, one, { type: 'array', items: { anyOf: [one, text] } }] }
        }
        case 'trace': {
            const one = { enum: ['all', 'none', ...points.map(({ word }) => word)] }
            const list = { type: 'array', items: { enum: points.map(({ word }) => word) } }
            return { ...described, anyOf: [one, list, { type: 'string', pattern: '^[a-z-]+(,[a-z-]+)*$' }] }
        }
        case 'addresses':
        case 'gateways':
            return { ...described, anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }
        case 'mac':
            return { ...described, type: 'string', pattern: '^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5})?$' }
        default:
            return { ...described, type: 'string', maxLength: Number(key.max) }
    }
}

function schemaDefault(key) {
    if (key.type === 'bool') return key.default === 'on'
    return isNumber(key) && /^\d+$/.test(key.default) ? Number(key.default) : key.default
}

const properties = (list, name) => Object.fromEntries(list.map((key) => [name(key), schemaOf(key)]))
const portLine = { type: 'string', description: 'A device, then name=value pairs, separated by commas.' }
const portObject = {
    type: 'object',
    properties: {
        device: { type: 'string', description: 'The name of a virtual device, or a PCI address.' },
        ...properties(portKeys, (key) => key.path),
    },
    required: ['device'],
    additionalProperties: false,
}
const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of Pronghorn',
    description: 'Made by tools/generate/config.mjs from native/config/keys.def: change it there.',
    type: 'object',
    properties: {
        $schema: { type: 'string' },
        port: {
            description: portsKey.help,
            anyOf: [portLine, { type: 'array', items: { anyOf: [portLine, portObject] } }],
        },
        route: {
            description: routesKey.help,
            anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
        },
        ...Object.fromEntries(
            sections.map((section) => [
                section,
                {
                    type: 'object',
                    properties: properties(inSection(section), nameIn),
                    additionalProperties: false,
                },
            ]),
        ),
    },
    additionalProperties: false,
}

generate({
    'docs/configuration.md': documentation,
    'lib/config-types.ts': types,
    'lib/cli/devices.ts': `// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/port/vdev.def: change it there.

/** The first word of a port line, and DPDK's driver behind it. */
export const devices: Record<string, string> = {
${devices.map(({ name, driver }) => `    ${name}: '${driver}',\n`).join('')}}
`,
    'lib/stats/trace-points.ts': `// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/base/trace.def: change it there.

/** What can be noted of a stack. */
export interface TracePoint {
    /** As trace.points has it. */
    word: string
    /** The names of its two values. */
    values: readonly [string, string]
}

/** All of them, in the order of their numbers. */
export const tracePoints: readonly TracePoint[] = [
${points.map(({ word, first, second }) => `    { word: '${word}', values: ['${first}', '${second}'] },\n`).join('')}]
`,
    'pronghorn.schema.json': `${formatJson(schema)}\n`,
})
