// SPDX-License-Identifier: Apache-2.0
// Talks to a process's console (native/console): a line of words, a line of JSON back.

import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { SEGMENT_DIRECTORY } from '../stats/index.js'
import { isStopped } from '../stats/life.js'
import { EXIT, Failure } from './failure.js'
import { choosePid, type ViewOptions } from './view.js'

/** A process that works answers in milliseconds, and says within seconds which of its stacks hangs. */
const PATIENCE_MS = 10_000
const ANSWER_MAX = 2 << 20

export type Words = Record<string, string | number | boolean | undefined>
export type Answer = Record<string, unknown>

function requestOf(verb: string, words: Words): string {
    const parts = [verb]
    for (const [name, value] of Object.entries(words)) {
        if (value === undefined || value === false) continue
        const text = value === true ? '1' : `${value}`
        if (/[\t\n]/.test(text)) throw new Failure(`${name}: tabs and line ends cannot be sent`, EXIT.usage)
        parts.push(`${name}=${text}`)
    }
    return `${parts.join('\t')}\n`
}

function failureOf(error: NodeJS.ErrnoException, pid: number): Failure {
    switch (error.code) {
        case 'ENOENT':
        case 'ECONNREFUSED':
            return new Failure(
                `process ${pid} has no console: it is not one of Pronghorn, it ended, or it runs with stats.enabled = off`,
                EXIT.noProcess,
            )
        case 'EACCES':
        case 'EPERM':
            return new Failure(
                `process ${pid} is another user's; run this as that user or as root`,
                EXIT.unreadable,
            )
        default:
            return new Failure(`process ${pid}: ${error.message}`)
    }
}

export interface Connection {
    answer: Answer
    socket: Socket
    /** What came after the answer. */
    rest: Buffer
}

/** Sends a request; gives the answer, and the connection for those that go on. */
export async function open(options: ViewOptions, verb: string, words: Words = {}): Promise<Connection> {
    const pid = choosePid(options)
    if (isStopped(pid))
        throw new Failure(
            `process ${pid} is stopped (SIGSTOP, or a debugger) and cannot answer: kill -CONT ${pid} lets it go on. ` +
                'What lies in shared memory can be read meanwhile: pronghorn show, latency, flight, drops',
        )
    const path = join(options.directory ?? SEGMENT_DIRECTORY, `pronghorn.${pid}.console`)
    return new Promise((resolve, reject) => {
        const request = requestOf(verb, words)
        // (Half-open: a capture ends when we shut our side down, and its end still comes.)
        const socket = connect({ path, allowHalfOpen: true })
        let got = Buffer.alloc(0)
        const fail = (error: Error) => {
            clearTimeout(timer)
            socket.destroy()
            reject(error)
        }
        const timer = setTimeout(
            () =>
                fail(
                    new Failure(
                        `process ${pid} does not answer: its console hangs (gdb -p ${pid} shows where)`,
                    ),
                ),
            PATIENCE_MS,
        )
        const onEnd = () =>
            fail(new Failure(`process ${pid} ended the conversation (it ended, or too many ask it)`))
        const onData = (data: Buffer) => {
            got = Buffer.concat([got, data])
            const end = got.indexOf(10)
            if (end < 0) {
                if (got.length > ANSWER_MAX) fail(new Failure(`process ${pid} gives an endless answer`))
                return
            }
            clearTimeout(timer)
            socket.pause()
            socket.off('data', onData).off('end', onEnd).off('error', onError)
            try {
                const answer = JSON.parse(got.toString('utf8', 0, end)) as Answer
                if (typeof answer.error === 'string') throw new Failure(answer.error)
                resolve({ answer, socket, rest: got.subarray(end + 1) })
            } catch (error) {
                fail(
                    error instanceof Failure
                        ? error
                        : new Failure(`process ${pid} gives an answer that is no JSON`),
                )
            }
        }
        const onError = (error: Error) => fail(failureOf(error, pid))
        socket.on('data', onData).on('end', onEnd).on('error', onError)
        socket.write(request)
    })
}

export async function ask(options: ViewOptions, verb: string, words: Words = {}): Promise<Answer> {
    const { answer, socket } = await open(options, verb, words)
    socket.destroy()
    return answer
}
