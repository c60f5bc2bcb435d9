// SPDX-License-Identifier: Apache-2.0
// A certificate for tests, made anew: nothing secret lies in the sources, and none runs out.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function certificate(name = 'localhost'): { key: string; cert: string } {
    const folder = mkdtempSync(join(tmpdir(), 'pronghorn-tls-'))
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    try {
        execFileSync(
            'openssl',
            ['req', '-x509', ...kind, '-days', '2', ...names, '-keyout', key, '-out', cert],
            {
                stdio: 'ignore',
            },
        )
        return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
    } finally {
        rmSync(folder, { recursive: true })
    }
}
