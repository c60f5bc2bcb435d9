// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { Command } from 'commander'
import { open, type Words } from './console.js'
import { EXIT, Failure } from './failure.js'
import { DIRECTIONS, directionOption } from './inject.js'
import { BlockReader, RingFiles, type Sink } from './pcapng.js'
import { bytes, duration, whole } from './units.js'
import { choosePid, pidOption, positive, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    write?: string
    stack?: number
    port?: number
    direction: 'in' | 'out' | 'both'
    snaplen: number
    count?: number
    duration?: number
    fileSize?: number
    files?: number
    buffer: number
    trigger?: string
    after?: number
    over?: number
}

/** Synchronous: what is behind a full pipe must wait, and with it the process's ring. */
function sinkTo(name: string): Sink {
    const fd = name === '-' ? 1 : openSync(name, 'w', 0o600)
    return {
        write(data) {
            for (let at = 0; at < data.length; ) {
                try {
                    at += writeSync(fd, data, at)
                } catch (error) {
                    const { code } = error as NodeJS.ErrnoException
                    if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
                    else if (code === 'EPIPE') process.exit(EXIT.ok)
                    else throw error
                }
            }
        },
        close() {
            if (fd !== 1) closeSync(fd)
        },
    }
}

const say = (text: string) => process.stderr.write(`${text}\n`)

async function capture(options: Options, words: Words, started: string): Promise<void> {
    const name = options.write ?? '-'
    if (name === '-' && process.stdout.isTTY)
        throw new Failure(
            'a capture is not for terminals: give -w FILE, or -w - and a pipe to wireshark -k -i -',
            EXIT.usage,
        )
    if (options.fileSize && name === '-') throw new Failure('--file-size needs a file (-w)', EXIT.usage)
    const target = { ...options, pid: `${choosePid(options)}` }
    const { socket, rest } = await open(target, 'capture', {
        stack: options.stack,
        port: options.port,
        directions: DIRECTIONS[options.direction],
        snap_bytes: Math.min(65535, Math.max(14, options.snaplen)),
        ring_kib: Math.ceil(options.buffer / 1024),
        ...words,
    })
    const files = new RingFiles(sinkTo, unlinkSync, name, options.fileSize ?? 0, options.files ?? 0)
    const reader = new BlockReader()
    let stopping = false
    const stop = () => {
        if (!stopping) socket.end()
        stopping = true
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, stop)
    if (options.duration) setTimeout(stop, options.duration / 1000).unref()
    say(started)
    const eat = (data: Buffer) => {
        for (const { type, bytes: block } of reader.push(data)) {
            if (type === 6 && options.count && files.packets >= options.count) continue
            files.block(type, block)
            if (options.count && files.packets >= options.count) stop()
        }
    }
    eat(rest)
    for await (const data of socket) eat(data as Buffer)
    files.end()
    socket.destroy()
    say(`${files.packets} packets${stopping ? '' : '; the process ended, or its trigger fired'}`)
    process.exit(EXIT.ok)
}

function base(name: string, description: string): Command {
    return new Command(name)
        .description(description)
        .argument('[filter...]', "in tcpdump's language: tcp port 443 and host 10.0.0.1")
        .addOption(pidOption())
        .option('-w, --write <file>', 'where to (pcapng); - is stdout', '-')
        .option('--stack <id>', 'one stack only', whole)
        .option('--port <id>', 'one port only', whole)
        .addOption(directionOption())
        .option('-s, --snaplen <bytes>', 'the first bytes of each packet', positive, 65535)
        .option('-B, --buffer <size>', "the ring in the process's memory, for each queue", bytes, 4 << 20)
}

export const captures = () =>
    base('capture', 'packets of a live process, as its stacks see them, to pcapng')
        .option('-c, --count <packets>', 'end after so many', positive)
        .option('--duration <time>', 'end after: 10s', duration)
        .option('-C, --file-size <size>', 'a new file when one is so large: 64M', bytes)
        .option('-W, --files <number>', 'keep only the newest', positive)
        .addHelpText(
            'after',
            `
Examples:
  pronghorn capture -w - | wireshark -k -i -
  pronghorn capture -w web.pcapng tcp port 443
  pronghorn capture -w ring.pcapng -C 64M -W 10 --snaplen 128`,
        )
        .action((filter: string[], options: Options) =>
            capture(options, { filter: filter.join(' ') || undefined }, 'Capturing; Ctrl-C ends it.'),
        )

export const recorders = () =>
    base(
        'record',
        'a flight recorder of your own: filtered, as large as you like, written when something happens',
    )
        .option(
            '-t, --trigger <event>',
            'retransmission, reset, drop, latency or any; Ctrl-C and SIGUSR1 always',
            'none',
        )
        .option('--over <time>', 'the trigger latency: data waited longer for its read', duration)
        .option('--after <time>', 'how long it goes on after the trigger', duration, 100_000)
        .addHelpText(
            'after',
            `
Examples:
  pronghorn record -w flight.pcapng --trigger reset
  pronghorn record -w flight.pcapng --buffer 64M tcp port 5432`,
        )
        .action((filter: string[], options: Options) =>
            capture(
                options,
                {
                    filter: filter.join(' ') || undefined,
                    recorder: true,
                    trigger: options.trigger,
                    latency_us: options.over,
                    after_ms: Math.round((options.after ?? 0) / 1000),
                },
                'Recording; the trigger, Ctrl-C or SIGUSR1 writes it out.',
            ),
        )
