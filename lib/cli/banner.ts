// SPDX-License-Identifier: Apache-2.0
// What nobody who looks at numbers may overlook: that they are being falsified on purpose.

import type { SegmentStats } from '../stats/index.js'
import { red } from './text.js'

export function banner({ stacks }: SegmentStats): string | undefined {
    const faulty = stacks.filter(({ gauges }) => (gauges.faults ?? 0) > 0)
    if (faulty.length === 0) return undefined
    const names = faulty.map(({ index }) => index).join(', ')
    return red(`*** FAULTS ARE BEING INJECTED on stack ${names}: pronghorn inject --off ends it ***`)
}
