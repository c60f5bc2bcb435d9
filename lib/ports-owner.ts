// SPDX-License-Identifier: Apache-2.0
// A port has one owner. What a program starts inherits its environment, and with it the same setting: there it is
// written down whose the ports are already.

/** (Without the prefix of settings, among which it would be an unknown one.) */
const NAME = '_PRONGHORN_PORTS_OF'

const ports = () => process.env.PRONGHORN_PORT ?? ''

/** The runtime of this process has started. */
export function ownPorts(): void {
    process.env[NAME] = `${process.pid} ${ports()}`
}

function lives(pid: number): boolean {
    try {
        return process.kill(pid, 0)
    } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
}

/** The living process whose ports are those that this one would open, if it is another. */
export function portsOwner(): number | undefined {
    const [, pid, theirs] = /^(\d+) (.*)$/.exec(process.env[NAME] ?? '') ?? []
    const owner = Number(pid)
    return owner && owner !== process.pid && theirs === ports() && lives(owner) ? owner : undefined
}
