// SPDX-License-Identifier: Apache-2.0
// Which sockets to show, in the language of ss(8):
//
//     state established and ( dport = :443 or sport = :443 ) and not dst 10.0.0.0/8
//
// Words beside each other are joined by "and". Beyond ss: stack N, fd N, and every number of
// docs/stats.md by its name (retransmits > 0).

import { BlockList, isIP } from 'node:net'
import type { SocketStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'

export type Filter = (socket: SocketStats) => boolean

/** What each filter looks at: id, and by name what its words mean. */
const FIELDS = /^(src|dst|sport|dport|state|exclude|tcp|udp)$/
export function fieldsOf(words: string[]): string[] {
    const own = tokensOf(words).filter((word) => /^[a-z_]+$/.test(word) && !FIELDS.test(word))
    return ['type', 'state', 'local_address', 'local_port', 'peer_address', 'peer_port', ...own]
}

const STATES: Record<string, (state: string) => boolean> = {
    all: () => true,
    connected: (state) => state !== 'listening' && state !== 'unconnected',
    synchronized: (state) => !['listening', 'unconnected', 'syn-sent'].includes(state),
    bucket: (state) => state === 'time-wait' || state === 'syn-recv',
    big: (state) => state !== 'time-wait' && state !== 'syn-recv',
    listen: (state) => state === 'listening',
    'fin-wait': (state) => state.startsWith('fin-wait'),
    closed: (state) => state === 'unconnected',
}
const NAMES =
    'established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait unconnected close-wait last-ack listening closing'
for (const name of NAMES.split(' ')) STATES[name] ??= (state) => state === name

type Compare = (a: number, b: number) => boolean
const COMPARE: Record<string, Compare> = {
    '=': (a, b) => a === b,
    '!=': (a, b) => a !== b,
    '>': (a, b) => a > b,
    '<': (a, b) => a < b,
    '>=': (a, b) => a >= b,
    '<=': (a, b) => a <= b,
}
const SYNONYMS: Record<string, string> = {
    '==': '=',
    eq: '=',
    ne: '!=',
    neq: '!=',
    gt: '>',
    lt: '<',
    ge: '>=',
    geq: '>=',
    le: '<=',
    leq: '<=',
    '&': 'and',
    '&&': 'and',
    '|': 'or',
    '||': 'or',
    '!': 'not',
}

function tokensOf(words: string[]): string[] {
    const text = words.join(' ')
    const tokens = text.match(/[()]|[<>=!]=|[<>=!]|&&?|\|\|?|[^\s()<>=!&|]+/g) ?? []
    return tokens.map((token) => SYNONYMS[token] ?? token)
}

/** "10.0.0.0/8", "[::1]:80", "10.0.0.1:443", "*:443", "::1". */
function endpointFilter(text: string, side: 'local' | 'peer'): Filter {
    const found = text.match(/^(?:\[([^\]]+)\]|([^:]*)|([0-9a-fA-F:.]+(?:\/\d+)?))(?::(\d+|\*))?$/)
    if (!found)
        throw new Failure(
            `"${text}" is no address; give one like 10.0.0.0/8, [fd00::1]:443 or :443`,
            EXIT.usage,
        )
    const bare = isIP(text.split('/')[0]!) === 6
    const host = bare ? text : (found[1] ?? found[2] ?? found[3] ?? '')
    const port = bare ? undefined : found[4]
    const [address = '', bits] = host.split('/')
    const version = isIP(address)
    const block = new BlockList()
    if (version) {
        const most = version === 6 ? 128 : 32
        const length = bits === undefined ? most : Number(bits)
        if (!(length >= 0 && length <= most))
            throw new Failure(`"${text}": a prefix is 0 to ${most} bits long`, EXIT.usage)
        block.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
    } else if (address !== '' && address !== '*') {
        throw new Failure(`"${address}" is no IP address (names are not looked up)`, EXIT.usage)
    }
    return (socket) => {
        if (port !== undefined && port !== '*' && socket[`${side}_port`] !== Number(port)) return false
        const own = `${socket[`${side}_address`]}`
        return !version || block.check(own, own.includes(':') ? 'ipv6' : 'ipv4')
    }
}

class Parser {
    private at = 0
    constructor(private readonly tokens: string[]) {}

    private peek = () => this.tokens[this.at]
    private take(what: string): string {
        const token = this.tokens[this.at++]
        if (token === undefined) throw new Failure(`the filter ends where ${what} was expected`, EXIT.usage)
        return token
    }

    private operator(): string {
        return COMPARE[this.peek() ?? ''] ? this.take('an operator') : '='
    }

    private number(name: string): number {
        const text = this.take(`a number for ${name}`).replace(/^:/, '')
        if (!/^\d+$/.test(text)) throw new Failure(`${name}: "${text}" is not a number`, EXIT.usage)
        return Number(text)
    }

    parse(): Filter {
        const filter = this.either()
        if (this.at < this.tokens.length) throw new Failure(`the filter has a ")" too many`, EXIT.usage)
        return filter
    }

    private either(): Filter {
        let left = this.both()
        while (this.peek() === 'or') {
            this.at++
            const a = left
            const b = this.both()
            left = (socket) => a(socket) || b(socket)
        }
        return left
    }

    private both(): Filter {
        let left = this.one()
        for (;;) {
            if (this.peek() === 'and') this.at++
            else if (this.peek() === undefined || this.peek() === 'or' || this.peek() === ')') return left
            const a = left
            const b = this.one()
            left = (socket) => a(socket) && b(socket)
        }
    }

    private one(): Filter {
        const word = this.take('a condition')
        switch (word) {
            case 'not': {
                const filter = this.one()
                return (socket) => !filter(socket)
            }
            case '(': {
                const filter = this.either()
                if (this.take('")"') !== ')') throw new Failure('the filter lacks a ")"', EXIT.usage)
                return filter
            }
            case 'tcp':
            case 'udp':
                return (socket) => socket.type === word
            case 'state':
            case 'exclude':
                return this.state(word === 'state')
            case 'src':
            case 'dst': {
                const negated = this.operator() === '!='
                const filter = endpointFilter(this.take('an address'), word === 'src' ? 'local' : 'peer')
                return negated ? (socket) => !filter(socket) : filter
            }
            case 'sport':
            case 'dport':
                return this.field(word, word === 'sport' ? 'local_port' : 'peer_port')
            default:
                if (/^[a-z_]+$/.test(word)) return this.field(word, word)
                throw new Failure(
                    `the filter does not know "${word}" (pronghorn show sockets --help)`,
                    EXIT.usage,
                )
        }
    }

    private state(wanted: boolean): Filter {
        const name = this.take('a state')
        const holds = STATES[name]
        if (!holds)
            throw new Failure(
                `there is no state "${name}"; there are ${Object.keys(STATES).join(', ')}`,
                EXIT.usage,
            )
        return (socket) => holds(socket.state) === wanted
    }

    private field(word: string, name: string): Filter {
        const compare = COMPARE[this.operator()]!
        const value = this.number(word)
        return (socket) => {
            const own = socket[name]
            if (own === undefined)
                throw new Failure(
                    `sockets have no "${word}" (docs/stats.md names what they have)`,
                    EXIT.usage,
                )
            return typeof own === 'number' && compare(own, value)
        }
    }
}

export function filterFrom(words: string[]): Filter {
    const tokens = tokensOf(words)
    return tokens.length === 0 ? () => true : new Parser(tokens).parse()
}
