// SPDX-License-Identifier: Apache-2.0
// As much of a Redis server as redis-client.ts needs, for those who have none at hand: strings, counters, channels.
import { createServer, type Server, type Socket } from 'pronghorn/net'

type Command = (socket: Socket, ...words: string[]) => string

const bulk = (text: string | undefined) =>
    text === undefined ? '$-1\r\n' : `$${Buffer.byteLength(text)}\r\n${text}\r\n`
const list = (...parts: string[]) => `*${parts.length}\r\n${parts.join('')}`

function commands(): Record<string, Command> {
    const values = new Map<string, string>()
    const subscribers = new Map<string, Set<Socket>>()
    return {
        get: (_, key) => bulk(values.get(key as string)),
        set(_, key, value) {
            values.set(key as string, value as string)
            return '+OK\r\n'
        },
        del: (_, key) => `:${values.delete(key as string) ? 1 : 0}\r\n`,
        incr(_, key) {
            const now = Number(values.get(key as string) ?? 0) + 1
            values.set(key as string, String(now))
            return `:${now}\r\n`
        },
        subscribe(socket, name) {
            const all = subscribers.get(name as string) ?? new Set()
            subscribers.set(name as string, all.add(socket))
            socket.once('close', () => all.delete(socket))
            return list(bulk('subscribe'), bulk(name), ':1\r\n')
        },
        publish(_, name, text) {
            const all = subscribers.get(name as string) ?? new Set()
            for (const socket of all) socket.write(list(bulk('message'), bulk(name), bulk(text)))
            return `:${all.size}\r\n`
        },
        quit(socket) {
            setImmediate(() => socket.end())
            return '+OK\r\n'
        },
    }
}

/** The words of the first whole command in `text`, and what is left after it. */
function parse(text: string): { words: string[]; rest: string } | undefined {
    const lines = text.split('\r\n', 2 * Number(text.slice(1, text.indexOf('\r\n'))) + 2)
    const count = Number(lines[0]?.slice(1))
    if (!text.includes('\r\n') || lines.length < 2 * count + 2) return undefined
    const words = lines.slice(1, -1).filter((_, i) => i % 2 === 1)
    const bytes = lines.slice(0, 2 * count + 1).reduce((sum, line) => sum + line.length + 2, 0)
    return { words, rest: text.slice(bytes) }
}

export function standIn(): Server {
    const known = commands()
    return createServer((socket) => {
        let text = ''
        socket.on('error', () => {})
        socket.setEncoding('latin1').on('data', (data) => {
            text += data
            let answer = ''
            for (let one = parse(text); one; one = parse(text)) {
                const [name, ...words] = one.words
                const command = known[(name as string).toLowerCase()]
                answer += command ? command(socket, ...words) : '-ERR unknown command\r\n'
                text = one.rest
            }
            socket.write(answer, 'latin1')
        })
    })
}
