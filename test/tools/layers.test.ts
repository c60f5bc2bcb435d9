// SPDX-License-Identifier: Apache-2.0
// The layer check catches what it is there to catch, and nothing else.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
// @ts-expect-error plain JavaScript: it also runs before anything is installed
import { checkLib, checkNative } from '../../tools/check/layers.mjs'

interface Finding {
    file: string
    line: number
    rule: string
}

function tree(files: Record<string, string>): string {
    const root = mkdtempSync(join(tmpdir(), 'pronghorn-layers-'))
    t.teardown(() => rmSync(root, { recursive: true }))
    for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(root, name)), { recursive: true })
        writeFileSync(join(root, name), text)
    }
    return root
}

const native = (files: Record<string, string>): Finding[] => checkNative(tree(files))
const lib = (files: Record<string, string>): Finding[] => checkLib(tree(files))
const rules = (findings: Finding[]) => findings.map(({ file, line, rule }) => `${file}:${line}: ${rule}`)

t.test('a clean tree has no findings', async (t) => {
    const findings = native({
        'native/base/list.h': '#include <stddef.h>\n',
        'native/stats/stats.h': '#include "base/list.h"\n',
        'native/port/burst.h': '#include <rte_ethdev.h>\n#include "stats/stats.h"\n',
        'native/lwip/instance.h': '#include "lwip/tcp.h"\n#include "port/burst.h"\n',
        'native/socket/tcp.c': '#include "lwip/tcp.h"\n#include "lwip/instance.h"\n',
        'native/api/posix.c': '#include "pronghorn.h"\n#include "socket/tcp.h"\n',
        'native/include/pronghorn.h': 'int ph_close(int fd);\n',
        'native/node/addon.cc': '#include <napi.h>\n#include <pronghorn.h>\n#include "node/args.h"\n',
    })
    t.strictSame(rules(findings), [])
})

t.test('upward and sideways includes', async (t) => {
    const findings = native({
        'native/base/log.c': '\n#include "config/config.h"\n',
        'native/config/config.c': '#include "stats/stats.h"\n',
        'native/loop/loop.c': '#include "fd/route.h"\n',
        'native/util/x.c': '',
    })
    t.strictSame(rules(findings), [
        'native/base/log.c:2: base/ is below config/',
        'native/config/config.c:1: config/ and stats/ are siblings',
        'native/loop/loop.c:1: loop/ and fd/ are siblings',
        'native/util/x.c:1: unknown layer util/',
    ])
})

t.test('foreign headers', async (t) => {
    const findings = native({
        'native/stack/stack.c': '#include <rte_mbuf.h>\n',
        'native/socket/options.c': '#include "lwip/tcp.h"\n',
        'native/fd/route.c': '#include "pronghorn.h"\n',
        'native/api/life.c': '#include <node_api.h>\n',
        'native/node/addon.cc': '#include "stack/stack.h"\n',
        'native/include/pronghorn.h': '#include "base/list.h"\n',
    })
    t.strictSame(
        rules(findings).map((rule) => rule.replace(/:\d+: .*/, '')),
        [
            'native/api/life.c',
            'native/fd/route.c',
            'native/include/pronghorn.h',
            'native/node/addon.cc',
            'native/socket/options.c',
            'native/stack/stack.c',
        ],
    )
})

t.test("libc's socket calls", async (t) => {
    const findings = native({
        'native/fd/route.c': [
            'int a(int fd) { return kernel.close(fd); }',
            'int b(int fd) { return ops->read(fd); }',
            '/* close(fd) in a comment */ const char *c = "write(fd)";',
            'int ph_close(int fd); int reclose(int fd);',
            'int d(int fd) { return close(fd); }',
            'static ssize_t read(int fd);',
        ].join('\n'),
        'native/base/kernel_calls.c': 'int e(int fd) { return close(fd); }',
    })
    t.strictSame(rules(findings), ['native/fd/route.c:5: close() only through base/kernel_calls'])
})

t.test('include cycles', async (t) => {
    const findings = native({
        'native/base/a.h': '#include "base/b.h"\n',
        'native/base/b.h': '#include "c.h"\n',
        'native/base/c.h': '#include "base/a.h"\n',
    })
    t.strictSame(rules(findings), [
        'native/base/a.h:1: include cycle: base/a.h -> base/b.h -> base/c.h -> base/a.h',
    ])
})

t.test('lib', async (t) => {
    const findings = lib({
        'lib/errors.ts': "import { x } from './native.js'\n",
        'lib/native.ts': "import load from 'node-gyp-build'\n",
        'lib/posix.ts': "import { a } from './native.js'\nexport * from './net/index.js'\n",
        'lib/net/index.ts': "import { s } from './socket.js'\nimport { p } from '../posix.js'\n",
        'lib/net/socket.ts': "import {\n    s,\n} from './index.js'\nimport type { T } from './server.js'\n",
        'lib/net/server.ts': "import { s } from './socket.js'\n",
        'lib/stats/index.ts': "import { a } from '../native.js'\n",
        'lib/runtime.ts': "process.dlopen(module, 'pronghorn.node')\nimport y from '../test/y.js'\n",
    })
    t.strictSame(rules(findings), [
        'lib/errors.ts:1: errors may not import native',
        'lib/posix.ts:2: posix may not import net',
        'lib/runtime.ts:1: only native.ts loads the addon',
        'lib/runtime.ts:2: lib/ imports from nothing outside lib/',
        'lib/stats/index.ts:1: stats may not import native',
        'lib/stats/index.ts:1: stats works without the addon',
        'lib/net/index.ts:1: import cycle: net/index.ts -> net/socket.ts -> net/index.ts',
        'lib/net/index.ts:1: import cycle: net/index.ts -> posix.ts -> net/index.ts',
    ])
})
