// SPDX-License-Identifier: Apache-2.0
// Which sockets to show, in the language of ss(8):
//
//     state established and ( dport = :443 or sport = :443 ) and not dst 10.0.0.0/8
//
// Words beside each other are joined by "and"; but states at the beginning add up, as ss reads them
// before its expression ("state established state time-wait": both). Beyond ss: states anywhere,
// ranges of port numbers, stack N, fd N, and every number of docs/stats.md by its name (retransmits > 0).

import { BlockList, isIP } from 'node:net'
import type { SocketStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { servicePort } from './services.js'
import { remembered } from './text.js'

export type Filter = (socket: SocketStats) => boolean

const STATES: Record<string, (state: string) => boolean> = {
    all: () => true,
    connected: (state) => state !== 'listening' && state !== 'unconnected',
    synchronized: (state) => !['listening', 'unconnected', 'syn-sent'].includes(state),
    bucket: (state) => state === 'time-wait' || state === 'syn-recv',
    big: (state) => state !== 'time-wait' && state !== 'syn-recv',
    listen: (state) => state === 'listening',
    'fin-wait': (state) => state.startsWith('fin-wait'),
    close: (state) => state === 'unconnected',
    closed: (state) => state === 'unconnected',
    'syn-rcv': (state) => state === 'syn-recv',
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
    excl: 'exclude',
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

/** "443", ":443", ":https", "8000-8099": the least and the most that it may be. */
function portsFrom(text: string, what: string): [number, number] {
    const [, low, high] = text.match(/^:?(\d{1,5})(?:-(\d{1,5}))?$/) ?? []
    if (low !== undefined) return [Number(low), Number(high ?? low)]
    const port = servicePort(text.replace(/^:/, ''))
    if (port === undefined)
        throw new Failure(
            `${what}: "${text}" is neither a port number, a range (8000-8099) nor a service of /etc/services`,
            EXIT.usage,
        )
    return [port, port]
}

/** "10.0.0.0/8", "[::1]:80", "10.0.0.1:443", "*:https", "::1". */
function endpointFilter(text: string, side: 'local' | 'peer'): Filter {
    const found = text.match(/^(?:\[([^\]]+)\]|([^:]*)|([0-9a-fA-F:.]+(?:\/\d+)?))(?::([\w*-]+))?$/)
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
    const [low, high] = port === undefined || port === '*' ? [0, 65535] : portsFrom(port, `"${text}"`)
    const isInside = remembered((own: string) => block.check(own, own.includes(':') ? 'ipv6' : 'ipv4'))
    return (socket) => {
        const own = Number(socket[`${side}_port`])
        return own >= low && own <= high && (!version || isInside(`${socket[`${side}_address`]}`))
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
        const states = this.states()
        if (states && this.peek() === 'and') this.at++
        if (states && this.peek() === undefined) return states
        const expression = this.either()
        const filter: Filter = states ? (socket) => states(socket) && expression(socket) : expression
        if (this.at < this.tokens.length) throw new Failure(`the filter has a ")" too many`, EXIT.usage)
        return filter
    }

    /** Those at the beginning: the first that is wanted begins with none, the first that is not with all. */
    private states(): Filter | undefined {
        let holds: Filter | undefined
        for (let word = this.peek(); word === 'state' || word === 'exclude'; word = this.peek()) {
            this.at++
            const before = holds ?? (() => word !== 'state')
            const one = this.state(true)
            holds =
                word === 'state'
                    ? (socket) => before(socket) || one(socket)
                    : (socket) => before(socket) && !one(socket)
        }
        return holds
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
                return this.port(word, word === 'sport' ? 'local_port' : 'peer_port')
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

    private port(word: string, name: string): Filter {
        const operator = this.operator()
        const text = this.take(`a port for ${word}`)
        const [low, high] = portsFrom(text, word)
        if (low !== high) {
            if (operator !== '=' && operator !== '!=')
                throw new Failure(`${word}: a range is = or !=, not ${operator}`, EXIT.usage)
            const inside: Filter = (socket) => Number(socket[name]) >= low && Number(socket[name]) <= high
            return operator === '=' ? inside : (socket) => !inside(socket)
        }
        const compare = COMPARE[operator]!
        return (socket) => compare(Number(socket[name]), low)
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
