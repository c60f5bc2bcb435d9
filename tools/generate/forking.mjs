#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/* node tools/generate/forking.mjs [--check]: lib/cli/forking.ts from native/fd/forking.def. */
import { generate, readTable, rowsOf } from './lib/def.mjs'

const names = rowsOf(readTable('native/fd/forking.def'), 'FORKING', ['name']).map(({ name }) => name)

generate({
    'lib/cli/forking.ts': `// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/forking.mjs from native/fd/forking.def: change it there.
/** Programs that serve each connection in a child, which cannot use our stack. */
export const FORKING: readonly string[] = [
${names.map((name) => `    '${name}',\n`).join('')}]
`,
})
