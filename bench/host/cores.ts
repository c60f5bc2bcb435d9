// SPDX-License-Identifier: Apache-2.0
// Which two cores to measure on.

import { readFileSync } from 'node:fs'

/** "0-3,8" -> [0, 1, 2, 3, 8] */
export function parseCpuList(text: string): number[] {
    return text
        .trim()
        .split(',')
        .filter(Boolean)
        .flatMap((part) => {
            const [first, last = first] = part.split('-').map(Number) as [number, number?]
            return Array.from({ length: last! - first + 1 }, (_, index) => first + index)
        })
}

function read(path: string): string | null {
    try {
        return readFileSync(path, 'utf8')
    } catch {
        return null
    }
}

/** Cores this process may use. */
export function allowedCores(): number[] {
    const line = /^Cpus_allowed_list:\s*(.*)$/m.exec(read('/proc/self/status') ?? '')
    return line ? parseCpuList(line[1]!) : [0]
}

/** Isolated ones if there are two, else the last two that are not siblings of one physical core. */
export function pickCores(): [number, number] {
    const allowed = allowedCores()
    const isolated = parseCpuList(read('/sys/devices/system/cpu/isolated') ?? '').filter((core) =>
        allowed.includes(core),
    )
    const pool = isolated.length >= 2 ? isolated : allowed
    const second = pool.at(-1)!
    const siblings = parseCpuList(
        read(`/sys/devices/system/cpu/cpu${second}/topology/thread_siblings_list`) ?? `${second}`,
    )
    const first =
        pool.filter((core) => !siblings.includes(core)).at(-1) ??
        pool.filter((core) => core !== second).at(-1)
    if (first === undefined) throw new Error('the benchmarks need two cores')
    return [first, second]
}
