// SPDX-License-Identifier: Apache-2.0
/*
 * What must be undone whatever happens. Each entry runs once: when its owner calls it, or when the
 * process ends (naturally, by process.exit, by an uncaught error, by SIGINT, SIGTERM or SIGHUP). After
 * kill -9 the next run sweeps (wire.ts).
 */
const pending = new Set<() => void>()
let installed = false

function runAll(): void {
    for (const undo of [...pending].reverse()) undo()
}

function install(): void {
    if (installed) return
    installed = true
    process.on('exit', runAll)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.on(signal, () => {
            // Others with a handler of their own decide when to exit; runAll() follows then.
            if (process.listenerCount(signal) > 1) return
            runAll()
            process.exit(128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal])
        })
    }
}

/* Registers a synchronous undo; returns the function that runs it now. */
export function cleanup(undo: () => void): () => void {
    install()
    const once = () => {
        if (!pending.delete(once)) return
        try {
            undo()
        } catch (error) {
            console.error('clean-up:', error)
        }
    }
    pending.add(once)
    return once
}
