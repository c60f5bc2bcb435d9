#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/*
 * What `npm pack` runs before it packs: prebuilds/ (addon and library, by prebuildify), dist/, and the
 * licences of what is linked in.
 *
 * prebuildify lets node-gyp delete build/, so it works in a folder of its own that sees the sources
 * through links; it wants Node's headers only for gyp's settings, so it gets empty ones instead of a
 * download.
 */
import {
    copyFileSync,
    cpSync,
    existsSync,
    mkdirSync,
    readdirSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ensureSetup } from '../setup/main.mjs'
import { root, run, SetupError, step } from '../setup/run.mjs'
import { fingerprint, isCurrent, writeStamp } from '../setup/stamp.mjs'

const stage = join(root, 'build', 'prebuild')
const STAMP = 'prebuilds/.pronghorn-stamp'

function prepareStage() {
    rmSync(stage, { recursive: true, force: true })
    const headers = join(stage, 'headers', 'include', 'node')
    mkdirSync(headers, { recursive: true })
    writeFileSync(join(headers, 'common.gypi'), '{}\n')
    writeFileSync(join(headers, 'config.gypi'), "{ 'target_defaults': {}, 'variables': {} }\n")
    for (const name of ['native', 'node_modules', '.cache']) {
        if (existsSync(join(root, name))) symlinkSync(join(root, name), join(stage, name))
    }
    for (const name of ['package.json', 'binding.gyp']) copyFileSync(join(root, name), join(stage, name))
}

async function prebuild(it) {
    const made = fingerprint(['native', 'binding.gyp', 'package-lock.json', 'tools/prebuild'])
    if (isCurrent(STAMP, made)) return
    it.note('prebuildify')
    rmSync(join(root, 'prebuilds'), { recursive: true, force: true })
    prepareStage()
    const env = { ...process.env, npm_config_nodedir: join(stage, 'headers') }
    const prebuildify = join(root, 'node_modules', '.bin', 'prebuildify')
    await run('prebuild', [prebuildify, '--napi', '--strip', '--tag-libc', '-t', process.versions.node], {
        cwd: stage,
        env,
    })
    cpSync(join(stage, 'prebuilds'), join(root, 'prebuilds'), { recursive: true })
    collectLicences()
    writeStamp(STAMP, made)
}

/* The texts that the licences of the linked parts ask for, as their packages bring them. */
function collectLicences() {
    const folder = join(root, 'prebuilds', 'licences')
    mkdirSync(folder, { recursive: true })
    copyFileSync('/usr/share/doc/libdpdk-dev/copyright', join(folder, 'dpdk.txt'))
    const lwip = findLwipCopying(join(stage, 'build', 'cmake'))
    if (!lwip) throw new SetupError('the licence of lwIP (COPYING) is not among its fetched sources')
    copyFileSync(lwip, join(folder, 'lwip.txt'))
}

function findLwipCopying(build) {
    for (const folder of [build, join(root, '.cache')]) {
        if (!existsSync(folder)) continue
        const found = readdirSync(folder, { recursive: true }).map(String)
        const file = found.find((name) => /lwip[^/]*\/COPYING$/.test(name))
        if (file) return join(folder, file)
    }
    return undefined
}

ensureSetup()
await step('prebuild', prebuild).catch((error) => {
    console.error(error instanceof SetupError ? `setup: ${error.message}` : error)
    process.exit(1)
})
