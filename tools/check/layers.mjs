// SPDX-License-Identifier: Apache-2.0
/*
 * The rules of the layers, for native/ (C, C++) and lib/ (TypeScript). Each finding names file, line
 * and rule. The table below is the whole law; what it means is in docs/architecture.md.
 *
 *     node tools/check/layers.mjs [root]
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/* A folder may include lower numbers and itself, never a sibling. */
export const nativeLayers = {
    base: 0,
    config: 1,
    stats: 1,
    rpc: 1,
    platform: 2,
    port: 3,
    lwip: 4,
    stack: 5,
    control: 6,
    socket: 7,
    loop: 8,
    fd: 8,
    console: 8,
    api: 9,
}
/* They see the public headers and themselves, nothing else. */
const outside = ['node', 'preload']
const mayUseDpdk = ['platform', 'port', 'lwip']
const mayUseLwip = (file) =>
    /^(lwip|control)\//.test(file) ||
    /^socket\/(tcp|tcp_defer|tcp_hooks|tcp_listen|tcp_open|tcp_tune|tcp_urgent|udp|udp_drain)\.[ch]$/.test(
        file,
    )
const mayUsePublic = ['api', ...outside]
/* What a shim may interpose: called only through the table of base/kernel_calls. */
const kernelCalls =
    'socket socketpair bind listen accept accept4 connect shutdown close getsockname getpeername getsockopt ' +
    'setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg read write readv writev fcntl ' +
    'ioctl poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait ' +
    'epoll_pwait2 dup dup2 dup3'
const kernelCall = new RegExp(`(?<![\\w.>])(${kernelCalls.split(' ').join('|')})\\s*\\(`, 'g')
/* `int close(int fd)` declares or defines; only a call is a finding. */
const declaration = /\b(int|ssize_t|void|long|static|extern)\s+\*?$/

/* lib/: the same for TypeScript. The name is the first path component below lib/. */
export const libLayers = {
    'config-types': 0,
    callable: 0,
    constants: 0,
    errors: 0,
    package: 0,
    native: 1,
    options: 1,
    stats: 1,
    address: 2,
    'block-list': 2,
    place: 2,
    slab: 2,
    poller: 3,
    'ports-owner': 3,
    runtime: 4,
    posix: 5,
    ring: 6,
    net: 7,
    dgram: 7,
    secure: 8,
    'default-agent': 8,
    tls: 9,
    http: 9,
    https: 9,
    http2: 9,
    undici: 9,
    register: 10,
    index: 8,
    cli: 9,
}
const libImport =
    /\b(?:import|export)\b(\s+type\b)?[^'";]*?\bfrom\s*['"](\.[^'"]+)['"]|\bimport\s*\(?\s*['"](\.[^'"]+)['"]/g
/* Reads shared memory only: must work where the addon does not load. */
const withoutAddon = ['stats', 'cli']

const sources = /\.(c|h|cc|hh|cpp|hpp|def|inc)$/

function* filesUnder(folder, matches) {
    if (!existsSync(folder)) return
    for (const name of readdirSync(folder).sort()) {
        const path = join(folder, name)
        if (statSync(path).isDirectory()) yield* filesUnder(path, matches)
        else if (matches.test(name)) yield path
    }
}

/* Blanks comments, and with `strings` also string literals; keeps line numbers. */
export function withoutComments(text, strings = true) {
    return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
        found[0] === '/' || strings ? found.replace(/[^\n]/g, ' ') : found,
    )
}

function cycles(graph) {
    const found = []
    const state = new Map()
    const path = []
    const visit = (node) => {
        state.set(node, 'open')
        path.push(node)
        for (const next of graph.get(node) ?? []) {
            if (state.get(next) === 'open') found.push([...path.slice(path.indexOf(next)), next])
            else if (!state.has(next)) visit(next)
        }
        path.pop()
        state.set(node, 'done')
    }
    for (const node of graph.keys()) if (!state.has(node)) visit(node)
    return found
}

function checkInclude(file, target, system, native) {
    const layer = file.split('/')[0]
    if (/^rte_/.test(basename(target))) {
        return mayUseDpdk.includes(layer) ? undefined : `rte_* only in ${mayUseDpdk.join('/, ')}/`
    }
    if (/^(napi|node_api|js_native_api|uv)\.h$/.test(target)) {
        return layer === 'node' ? undefined : `${target} only in node/`
    }
    if (/^pronghorn(\.h$|\/)/.test(target)) {
        return mayUsePublic.includes(layer) || layer === 'include'
            ? undefined
            : `the public header only in ${mayUsePublic.join('/, ')}/`
    }
    const ours = existsSync(join(native, target)) && nativeLayers[target.split('/')[0]] !== undefined
    if (!ours && /^(lwip|netif)\/|^lwipopts\.h$/.test(target)) {
        return mayUseLwip(file)
            ? undefined
            : 'lwIP headers only in lwip/, control/, socket/{tcp,tcp_*,udp,udp_drain}, the stack half'
    }
    if (system) return undefined
    const to = target.includes('/') ? target.split('/')[0] : layer
    if (to === layer) return undefined
    if (outside.includes(layer)) return `${layer}/ sees only include/`
    if (layer === 'include') return 'a public header includes no internal one'
    if (nativeLayers[to] === undefined) return ours ? `unknown layer ${to}/` : undefined
    if (nativeLayers[to] > nativeLayers[layer]) return `${layer}/ is below ${to}/`
    if (nativeLayers[to] === nativeLayers[layer]) return `${layer}/ and ${to}/ are siblings`
    return undefined
}

export function checkNative(root) {
    const native = join(root, 'native')
    const findings = []
    const graph = new Map()
    for (const path of filesUnder(native, sources)) {
        const file = relative(native, path)
        const layer = file.split('/')[0]
        const known = nativeLayers[layer] !== undefined || outside.includes(layer) || layer === 'include'
        if (!known) {
            findings.push({ file: `native/${file}`, line: 1, rule: `unknown layer ${layer}/` })
            continue
        }
        const text = readFileSync(path, 'utf8')
        const edges = []
        const lines = withoutComments(text, false).split('\n')
        lines.forEach((line, index) => {
            const include = line.match(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/)
            if (!include) return
            const [, open, target] = include
            const rule = checkInclude(file, target, open === '<', native)
            if (rule) findings.push({ file: `native/${file}`, line: index + 1, rule, text: line.trim() })
            for (const candidate of [target, normalize(join(dirname(file), target))]) {
                if (open === '"' && existsSync(join(native, candidate))) {
                    edges.push(candidate)
                    break
                }
            }
        })
        graph.set(file, edges)
        if (nativeLayers[layer] !== undefined && !/^base\/kernel_calls\./.test(file)) {
            withoutComments(text)
                .split('\n')
                .forEach((line, index) => {
                    for (const call of line.matchAll(kernelCall)) {
                        if (declaration.test(line.slice(0, call.index)) || /^\s*#/.test(line)) continue
                        const rule = `${call[1]}() only through base/kernel_calls`
                        findings.push({ file: `native/${file}`, line: index + 1, rule, text: line.trim() })
                    }
                })
        }
    }
    for (const cycle of cycles(graph)) {
        findings.push({ file: `native/${cycle[0]}`, line: 1, rule: `include cycle: ${cycle.join(' -> ')}` })
    }
    return findings
}

export function checkLib(root) {
    const lib = join(root, 'lib')
    const findings = []
    const graph = new Map()
    const layerOf = (file) => file.split('/')[0].replace(/\.ts$/, '')
    for (const path of filesUnder(lib, /\.ts$/)) {
        const file = relative(lib, path)
        const layer = layerOf(file)
        const add = (line, rule, text) => findings.push({ file: `lib/${file}`, line, rule, text })
        if (libLayers[layer] === undefined) add(1, `unknown layer ${layer}: add it to tools/check/layers.mjs`)
        const edges = []
        const text = withoutComments(readFileSync(path, 'utf8'), false)
        const lineOf = (index) => text.slice(0, index).split('\n').length
        for (const loads of text.matchAll(/.*(\.node['"`]|process\.dlopen|node-gyp-build).*/g)) {
            if (layer !== 'native')
                add(lineOf(loads.index), 'only native.ts loads the addon', loads[0].trim())
        }
        for (const found of text.matchAll(libImport)) {
            const [statement, type, from, bare] = found
            const line = lineOf(found.index + statement.length)
            const to = normalize(join(dirname(file), from ?? bare)).replace(/\.js$/, '.ts')
            if (to.startsWith('..')) {
                add(line, 'lib/ imports from nothing outside lib/', statement)
                continue
            }
            // Types are gone when the code runs: two files may know each other's.
            if (!type) edges.push(to)
            const other = layerOf(to)
            if (other === layer || libLayers[other] === undefined) continue
            if (libLayers[other] >= libLayers[layer]) add(line, `${layer} may not import ${other}`)
            if (withoutAddon.includes(layer) && other === 'native') {
                add(line, `${layer} works without the addon`)
            }
        }
        graph.set(file, edges)
    }
    for (const cycle of cycles(graph)) {
        findings.push({ file: `lib/${cycle[0]}`, line: 1, rule: `import cycle: ${cycle.join(' -> ')}` })
    }
    return findings
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const root = process.argv[2] ?? fileURLToPath(new URL('../..', import.meta.url))
    const findings = [...checkNative(root), ...checkLib(root)]
    for (const { file, line, rule, text } of findings) {
        console.error(`${file}:${line}: ${rule}${text ? `\n    ${text}` : ''}`)
    }
    if (findings.length) console.error(`layers: ${findings.length} findings`)
    process.exitCode = findings.length ? 1 : 0
}
