// SPDX-License-Identifier: Apache-2.0
// What the machine says of itself, from /proc and /sys.

import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

export function textOf(path: string): string | undefined {
    try {
        return readFileSync(path, 'utf8').trim()
    } catch {
        return undefined
    }
}

export function namesIn(path: string): string[] {
    try {
        return readdirSync(path)
    } catch {
        return []
    }
}

export interface Finding {
    check: string
    level: 'ok' | 'note' | 'problem'
    what: string
    /** The command or setting that mends it. */
    remedy?: string
    /** What --fix does: writes a text to a file of the kernel's. */
    fix?: Fix
}

/** A file of the kernel's that is written to, or a command. */
export type Fix = { path: string; text: string } | { command: string[] }

export const ok = (check: string, what: string): Finding => ({ check, level: 'ok', what })
export const note = (check: string, what: string, remedy?: string, fix?: Finding['fix']): Finding => ({
    check,
    level: 'note',
    what,
    ...(remedy && { remedy }),
    ...(fix && { fix }),
})
export const problem = (...args: Parameters<typeof note>): Finding => ({ ...note(...args), level: 'problem' })

const WANTED_PAGES = 64

function hugepages(): Finding {
    const folder = '/sys/kernel/mm/hugepages/hugepages-2048kB'
    const total = Number(textOf(`${folder}/nr_hugepages`) ?? NaN)
    const free = Number(textOf(`${folder}/free_hugepages`) ?? NaN)
    if (Number.isNaN(total))
        return note('hugepages', 'this kernel has none of 2 MiB: buffers use small pages')
    if (free >= 32) return ok('hugepages', `${free} of ${total} pages of 2 MiB are free`)
    const pages = total + WANTED_PAGES
    // (With memory.hugepages = auto, the default, it works all the same.)
    return note(
        'hugepages',
        `${free} of ${total} pages of 2 MiB are free, fewer than 32: buffers may get small pages, a little slower`,
        `echo ${pages} > /proc/sys/vm/nr_hugepages`,
        { path: '/proc/sys/vm/nr_hugepages', text: `${pages}` },
    )
}

function governor(): Finding {
    const path = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'
    const name = textOf(path)
    if (!name)
        return ok('governor', "frequencies are not the kernel's to choose (a virtual machine, or fixed)")
    if (name === 'performance') return ok('governor', 'performance')
    return problem(
        'governor',
        `"${name}" lets cores slow down between packets`,
        'cpupower frequency-set -g performance',
        {
            path,
            text: 'performance',
        },
    )
}

function cstates(): Finding {
    const deep = namesIn('/sys/devices/system/cpu/cpu0/cpuidle').filter(
        (state) => Number(textOf(`/sys/devices/system/cpu/cpu0/cpuidle/${state}/latency`) ?? 0) > 50,
    )
    if (deep.length === 0) return ok('c-states', 'no sleep state takes longer than 50 us to leave')
    return note(
        'c-states',
        `${deep.length} sleep states take more than 50 us to leave`,
        "cpupower idle-set -D 50, or keep the stack's cores awake: stack.idle = poll",
    )
}

/** What to boot with, of this machine's cores: the upper half is for stacks. */
function isolation(count: number): string {
    const first = Math.ceil(count / 2)
    const cores = first === count - 1 ? `${first}` : `${first}-${count - 1}`
    return `boot with isolcpus=${cores} nohz_full=${cores} rcu_nocbs=${cores}, and set stack.cores = ${cores}`
}

function cores(): Finding[] {
    const count = availableParallelism()
    const isolated = textOf('/sys/devices/system/cpu/isolated') ?? ''
    const nodes = namesIn('/sys/devices/system/node').filter((name) => /^node\d+$/.test(name)).length
    return [
        count < 4
            ? note(
                  'cores',
                  `${count} cores: dedicated stacks take them from the application`,
                  'stack.drive = inline, or stack.idle = adaptive with a short stack.spin_us',
              )
            : ok('cores', `${count}`),
        isolated
            ? ok('isolated cores', isolated)
            : note(
                  'isolated cores',
                  "none: the kernel may run other threads on a stack's core",
                  count > 1 ? isolation(count) : 'none on a single core: stack.drive = inline',
              ),
        nodes > 1
            ? note(
                  'numa',
                  `${nodes} nodes`,
                  "choose stack.cores on the card's node (/sys/bus/pci/devices/ADDRESS/numa_node)",
              )
            : ok('numa', 'one node'),
    ]
}

const FILES_WANTED = 1048576
const CAP_SYS_RESOURCE = 24n

function hasCapability(bit: bigint): boolean {
    const mask = textOf('/proc/self/status')?.match(/^CapEff:\s*(\w+)/m)?.[1] ?? '0'
    return (BigInt(`0x${mask}`) & (1n << bit)) !== 0n
}

function limits(): Finding[] {
    const text = textOf('/proc/self/limits') ?? ''
    const limits = (name: string) => text.match(new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm'))?.slice(1)
    const [locked = 'unlimited', lockedMost = 'unlimited'] = limits('Max locked memory') ?? []
    const [open = 'unlimited', openMost = 'unlimited'] = limits('Max open files') ?? []
    const files = Number(open)
    // Beyond the hard limit only who may (root often may not, in a container).
    const mayRaise = (most: string, wanted: number) =>
        most === 'unlimited' || Number(most) >= wanted || hasCapability(CAP_SYS_RESOURCE)
    const found: Finding[] = []
    found.push(
        locked === 'unlimited' || Number(locked) >= 64 << 20
            ? ok('locked memory', locked)
            : note(
                  'locked memory',
                  `${locked} bytes: af_xdp and VFIO need more`,
                  mayRaise(lockedMost, Number.POSITIVE_INFINITY)
                      ? 'ulimit -l unlimited'
                      : 'LimitMEMLOCK=infinity (systemd), --ulimit memlock=-1 (docker): who starts it must raise it',
              ),
    )
    found.push(
        Number.isNaN(files) || files >= 65536
            ? ok('open files', `${files || 'unlimited'}`)
            : note(
                  'open files',
                  `${files}: each socket takes one with fd.numbers = kernel`,
                  mayRaise(openMost, FILES_WANTED)
                      ? `ulimit -n ${FILES_WANTED}`
                      : `LimitNOFILE=${FILES_WANTED} (systemd), --ulimit nofile=${FILES_WANTED} (docker): who starts it must raise it`,
              ),
    )
    return found
}

function rights(): Finding {
    const missing = [
        ['cap_net_admin', 12n],
        ['cap_net_raw', 13n],
        ['cap_ipc_lock', 14n],
        ['cap_sys_admin', 21n],
    ].filter(([, bit]) => !hasCapability(bit as bigint))
    if (missing.length === 0) return ok('capabilities', 'all that ports need')
    return note(
        'capabilities',
        `without ${missing.map(([name]) => name).join(', ')} only wire, memif and vhost ports work`,
        'run as root, or: setcap cap_net_admin,cap_net_raw,cap_ipc_lock,cap_sys_admin+ep PROGRAM',
    )
}

function cards(): Finding[] {
    const groups = namesIn('/sys/kernel/iommu_groups').length
    const pci = namesIn('/sys/bus/pci/devices').filter((address) =>
        textOf(`/sys/bus/pci/devices/${address}/class`)?.startsWith('0x0200'),
    )
    if (pci.length === 0) return [ok('cards', 'no network card on the PCI bus: virtual ports only')]
    const vfio = namesIn('/sys/bus/pci/drivers/vfio-pci')
    const bound = pci.filter((address) => vfio.includes(address))
    return [
        bound.length
            ? ok('cards', `for DPDK: ${bound.join(', ')}`)
            : note(
                  'cards',
                  `${pci.join(', ')}: all with the kernel`,
                  `pronghorn bind ${pci[0]} (the kernel loses it)`,
              ),
        groups
            ? ok('iommu', `${groups} groups`)
            : note(
                  'iommu',
                  'none: VFIO works only in its unsafe mode',
                  /GenuineIntel/.test(textOf('/proc/cpuinfo') ?? '')
                      ? 'boot with intel_iommu=on iommu=pt'
                      : 'boot with iommu=pt, and the IOMMU on in the firmware (in a virtual machine: given by its host)',
              ),
    ]
}

export function checkMachine(): Finding[] {
    return [hugepages(), ...cores(), governor(), cstates(), ...limits(), rights(), ...cards()]
}

/** The node that a core belongs to; 0 on a machine without nodes. */
export const nodeOf = (core: number) =>
    Number(
        namesIn(`/sys/devices/system/cpu/cpu${core}`)
            .find((name) => /^node\d+$/.test(name))
            ?.slice(4) ?? 0,
    )

/** Where a thread ran last: field 39 of its stat. */
export function coreOf(pid: number, thread: number): number | undefined {
    const fields = textOf(`/proc/${pid}/task/${thread}/stat`)
        ?.replace(/^.*\) /s, '')
        .split(' ')
    return fields ? Number(fields[36]) : undefined
}
