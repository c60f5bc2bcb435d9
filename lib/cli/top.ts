// SPDX-License-Identifier: Apache-2.0

import { Command } from 'commander'
import { EXIT, Failure } from './failure.js'
import { momentOf } from './sample.js'
import { type Choice, draw, type Frame, p99, SORTS } from './top-screen.js'
import { choosePid, pidOption, seconds, type ViewOptions } from './view.js'

const ALTERNATE = '\u001b[?1049h\u001b[?25l'
const NORMAL = '\u001b[?25h\u001b[?1049l'
const HISTORY = 60

/** True: the screen is to be drawn anew at once. */
function obey(key: string, choice: Choice): boolean {
    switch (key) {
        case 's':
            choice.sort = SORTS[(SORTS.indexOf(choice.sort) + 1) % SORTS.length]!
            return true
        case '\u001b[A':
        case 'k':
            choice.line = Math.max(0, choice.line - 1)
            return true
        case '\u001b[B':
        case 'j':
            choice.line++
            return true
        case '\r':
        case '\n':
            choice.detail = !choice.detail
            return true
        case 'p':
            choice.paused = !choice.paused
            return true
        default:
            return key === ' '
    }
}

interface Options extends ViewOptions {
    delay: number
}

async function live(options: Options): Promise<void> {
    if (!process.stdin.isTTY || !process.stdout.isTTY)
        throw new Failure('top needs a terminal; for scripts: pronghorn rate --watch --json', EXIT.usage)
    const fixed = { ...options, pid: `${choosePid(options)}` }
    const choice: Choice = { sort: 'rate', line: 0, detail: false, paused: false }
    const first = momentOf(fixed, { sockets: true })
    const frame: Frame = { before: first, after: first, history: [] }
    let leave: (error?: Error) => void = () => {}
    const over = new Promise<void>((resolve, reject) => {
        leave = (error) => (error ? reject(error) : resolve())
    })
    const paint = () => {
        const { columns, rows } = process.stdout
        const text = draw(frame, choice, columns || 80, rows || 24)
        process.stdout.write(`\u001b[H${text.replaceAll('\n', '\u001b[K\r\n')}\u001b[K\u001b[J`)
    }
    const step = () => {
        try {
            frame.before = frame.after
            frame.after = momentOf(fixed, { sockets: true })
            if (!frame.after.stats.process.alive) throw new Failure('the process ended', EXIT.noProcess)
            frame.history = [...frame.history, p99(frame.after, frame.before)].slice(-HISTORY)
            paint()
        } catch (error) {
            leave(error as Error)
        }
    }
    const tick = () => {
        if (!choice.paused) step()
    }
    const onKey = (data: Buffer) => {
        const key = `${data}`
        if (key === 'q' || key === '\u0003' || key === '\u001b') leave()
        else if (key === ' ') step()
        else if (obey(key, choice)) paint()
    }
    const onSignal = () => leave()
    process.stdout.write(ALTERNATE)
    process.stdin.setRawMode(true)
    process.stdin.resume().on('data', onKey)
    process.on('SIGTERM', onSignal).on('SIGHUP', onSignal)
    process.stdout.on('resize', paint)
    const timer = setInterval(tick, options.delay * 1000)
    setTimeout(tick, Math.min(200, options.delay * 1000))
    try {
        await over
    } finally {
        clearInterval(timer)
        process.stdin.setRawMode(false)
        process.stdin.pause().off('data', onKey)
        process.stdout.off('resize', paint)
        process.stdout.write(NORMAL)
    }
}

export const top = () =>
    new Command('top')
        .description('a live screen: stacks, connections, latency')
        .addOption(pidOption())
        .option('-d, --delay <seconds>', 'between two looks', seconds, 1)
        .action(live)
