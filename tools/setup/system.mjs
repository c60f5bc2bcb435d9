// SPDX-License-Identifier: Apache-2.0
/*
 * System packages: which are missing on this machine, and how to get them. Installs through apt as
 * root or with sudo; whoever may not is told the one command that does it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { run, SetupError } from './run.mjs'

const lists = JSON.parse(readFileSync(new URL('packages.json', import.meta.url), 'utf8'))

export const isRoot = process.getuid() === 0

/* "debian-12", "ubuntu-24.04", or the nearest relative; undefined where there is no dpkg. */
export function distribution(text = readFileSync('/etc/os-release', 'utf8')) {
    const field = (name) => text.match(new RegExp(`^${name}="?([^"\n]*)"?$`, 'm'))?.[1] ?? ''
    const exact = `${field('ID')}-${field('VERSION_ID')}`
    if (lists[exact]) return exact
    return /ubuntu/.test(`${field('ID')} ${field('ID_LIKE')}`) ? 'ubuntu-24.04' : 'debian-12'
}

export function wantedPackages(root = isRoot) {
    const list = lists[distribution()]
    return root ? [...list.build, ...list.traffic] : list.build
}

export const programPackages = () => lists[distribution()].programs
export const benchPackages = () => lists[distribution()].bench

function missingOf(packages) {
    const query = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\n', ...packages], {
        encoding: 'utf8',
    })
    const installed = new Set()
    for (const line of query.stdout.split('\n')) {
        const [name, status] = line.split(' ')
        if (status === 'installed') installed.add(name)
    }
    return packages.filter((name) => !installed.has(name))
}

const maySudo = () => spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0

export async function ensureSystemPackages(step, wanted = wantedPackages()) {
    if (!existsSync('/usr/bin/dpkg-query')) {
        step.note('no dpkg on this system: install the equivalents of tools/setup/packages.json yourself')
        return
    }
    const missing = missingOf(wanted)
    if (missing.length === 0) return
    const sudo = isRoot ? [] : ['sudo']
    const byHand = `${isRoot ? '' : 'sudo '}apt-get update && ${isRoot ? '' : 'sudo '}apt-get install -y ${missing.join(' ')}`
    const interactive = process.stdin.isTTY && existsSync('/usr/bin/sudo')
    if (!isRoot && !maySudo() && !interactive) {
        throw new SetupError(
            `system packages are missing and this user may not install them. Run:\n\n    ${byHand}\n`,
        )
    }
    step.note(`installing ${missing.join(' ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const apt = (...rest) => [...sudo, 'apt-get', '-o', 'DPkg::Lock::Timeout=300', '-q', ...rest]
    const install = apt('install', '-y', '--no-install-recommends', ...missing)
    // Fresh machines have no package lists yet; others need no update.
    const first = await run('apt', install, { env, mayFail: true })
    if (first !== 0) {
        await run('apt', apt('update'), { env, mayFail: true })
        await run('apt', install, { env, hint: `By hand: ${byHand}` })
    }
    const left = missingOf(missing)
    if (left.length) throw new SetupError(`apt finished, yet these are not installed: ${left.join(' ')}`)
}
