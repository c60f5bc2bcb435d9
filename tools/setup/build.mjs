// SPDX-License-Identifier: Apache-2.0
/* The builds: node_modules, the native part (through cmake-js, or a cmake preset), dist/. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { root, run } from './run.mjs'
import { clearStamp, contents, fingerprint, isCurrent, writeStamp } from './stamp.mjs'

const bin = (name) => join(root, 'node_modules', '.bin', name)
/* cmake behind a lock that its own children hold too: see the script. */
const cmake = join(root, 'tools', 'setup', 'cmake')
const jobs = String(availableParallelism())

export async function ensureNodeModules(step) {
    const stamp = 'node_modules/.pronghorn-stamp'
    const made = `${contents('package-lock.json')} ${process.version.split('.')[0]}`
    if (isCurrent(stamp, made)) return
    step.note('npm ci')
    // No dependency needs its install script, and npm asks about them: skip them all.
    await run('npm-ci', ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'])
    writeStamp(stamp, made)
}

/*
 * The release build, driven by cmake-js, which adds the Node-API headers of the node-api-headers
 * package (native/package.json tells it so: without that it would download Node's own headers).
 */
export async function ensureNative(step, force = false) {
    if (!existsSync(join(root, 'native', 'CMakeLists.txt'))) return
    const stamp = 'build/release/.pronghorn-stamp'
    const made = nativeFingerprint('release')
    if (!force && isCurrent(stamp, made)) return
    clearStamp(stamp)
    const out = join(root, 'build', 'release')
    step.note('compiling the native part (release)')
    const common = ['-d', join(root, 'native'), '-O', out, '-B', 'Release', '-c', cmake]
    const settings = {
        CMAKE_LIBRARY_OUTPUT_DIRECTORY: out,
        PRONGHORN_BENCH: 'ON',
        PRONGHORN_TESTS: 'ON',
    }
    const custom = Object.entries(settings).map(([key, value]) => `--CD${key}=${value}`)
    await run('native-configure', [bin('cmake-js'), 'configure', ...common, '-G', 'Ninja', ...custom])
    await run('native-build', [bin('cmake-js'), 'build', ...common, '-p', jobs])
    writeStamp(stamp, made)
}

/* The benchmark programs: in the release folder, but not part of a plain build. */
export async function ensureBench(step) {
    const out = join(root, 'build', 'release')
    const stamp = 'build/release/.pronghorn-bench-stamp'
    const made = nativeFingerprint('bench')
    if (isCurrent(stamp, made)) return
    step.note('compiling the benchmark programs')
    await run('bench-build', [cmake, '--build', out, '--target', 'bench_programs', '--parallel', jobs])
    writeStamp(stamp, made)
}

/* Another preset (debug, sanitize): the C tests under other rules; needs no Node headers. */
export async function ensurePreset(step, preset) {
    const stamp = `build/${preset}/.pronghorn-stamp`
    const made = nativeFingerprint(preset)
    if (isCurrent(stamp, made)) return
    clearStamp(stamp)
    step.note(`compiling the native part (${preset})`)
    await run(`${preset}-configure`, [cmake, '--preset', preset, '-S', 'native'])
    await run(`${preset}-build`, [cmake, '--build', `build/${preset}`, '--parallel', jobs])
    writeStamp(stamp, made)
}

function nativeFingerprint(...extra) {
    return fingerprint(['native', 'test/unit', 'test/sim', 'bench/c', 'package-lock.json'], ...extra)
}

export async function ensureDist(step, force = false) {
    if (!existsSync(join(root, 'lib', 'index.ts'))) return
    const stamp = 'dist/.pronghorn-stamp'
    const made = fingerprint(['lib', 'tsconfig.json', 'tsup.config.ts', 'package-lock.json'])
    if (!force && isCurrent(stamp, made)) return
    clearStamp(stamp)
    step.note('compiling the TypeScript part')
    await run('dist', [bin('tsup')])
    writeStamp(stamp, made)
}
