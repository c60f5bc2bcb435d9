// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs'
import { defineConfig } from 'tsup'

// One bundle per entry of "exports" in package.json, as ES module and CommonJS, with types.
const entries = {
    index: 'lib/index.ts',
    posix: 'lib/posix.ts',
    net: 'lib/net/index.ts',
    dgram: 'lib/dgram/index.ts',
    ring: 'lib/ring/index.ts',
    stats: 'lib/stats/index.ts',
    cli: 'lib/cli/main.ts',
}

export default defineConfig({
    entry: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
    format: ['esm', 'cjs'],
    platform: 'node',
    target: 'node20',
    dts: true,
    splitting: true,
    sourcemap: true,
    clean: true,
    shims: true,
    removeNodeProtocol: false,
})
