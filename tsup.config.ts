// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { transform } from 'esbuild'
import { defineConfig } from 'tsup'

// One bundle per entry of "exports" in package.json, as ES module and CommonJS, with types.
const entries = {
    index: 'lib/index.ts',
    posix: 'lib/posix.ts',
    net: 'lib/net/index.ts',
    dgram: 'lib/dgram/index.ts',
    ring: 'lib/ring/index.ts',
    http: 'lib/http.ts',
    https: 'lib/https.ts',
    tls: 'lib/tls.ts',
    http2: 'lib/http2.ts',
    undici: 'lib/undici.ts',
    stats: 'lib/stats/index.ts',
    cli: 'lib/cli/main.ts',
    register: 'lib/register/index.ts',
    'register-hooks': 'lib/register/hooks.ts',
}

const target = 'node20'
const selfUrl = "const selfUrl = require('node:url').pathToFileURL(__filename).href;"

/**
 * The CommonJS files are the ES modules, file by file. tsup's own, with code shared between bundles, go through
 * a second compiler, which replaces `a?.b` by calls of a helper function, also where every message passes.
 */
async function makeCommonJs(folder: string): Promise<void> {
    const names = await readdir(folder)
    await Promise.all(
        names.filter((name) => /\.cjs(\.map)?$/.test(name)).map((name) => rm(join(folder, name))),
    )
    for (const name of names.filter((name) => name.endsWith('.js'))) {
        const code = await readFile(join(folder, name), 'utf8')
        const made = await transform(code.replaceAll(/(["']\.\/[\w-]+)\.js(["'])/g, '$1.cjs$2'), {
            format: 'cjs',
            platform: 'node',
            target,
            define: { 'import.meta.url': 'selfUrl' },
            banner: code.includes('import.meta.url') ? selfUrl : '',
        })
        await writeFile(join(folder, name.replace(/\.js$/, '.cjs')), made.code)
    }
}

export default defineConfig({
    entry: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
    format: ['esm', 'cjs'],
    platform: 'node',
    target,
    dts: true,
    splitting: true,
    sourcemap: true,
    clean: true,
    removeNodeProtocol: false,
    onSuccess: () => makeCommonJs('dist'),
})
