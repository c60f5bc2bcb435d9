// SPDX-License-Identifier: Apache-2.0
import t from 'tap'
import { formatNumber, median, pairedRatioOf, ratioOf, spreadOf, summarize } from '../../bench/statistics.js'

t.test('median of odd and even counts, order does not matter', async (t) => {
    t.equal(median([3]), 3)
    t.equal(median([9, 1, 5]), 5)
    t.equal(median([4, 1, 3, 2]), 2.5)
    t.equal(median([100, 9, 10]), 10, 'numbers are not sorted as text')
    t.throws(() => median([]), RangeError)
})

t.test('median leaves its argument alone', async (t) => {
    const values = [3, 1, 2]
    median(values)
    t.same(values, [3, 1, 2])
})

t.test('summary: median, extremes, median of the p99', async (t) => {
    const summary = summarize([
        { value: 10, p99: 20 },
        { value: 12, p99: 500 },
        { value: 11, p99: 22 },
    ])
    t.same(summary, { median: 11, min: 10, max: 12, p99: 22 })
    t.equal(spreadOf(summary), 2 / 11)
})

t.test('summary of rows without a p99', async (t) => {
    t.equal(summarize([{ value: 1, p99: null }]).p99, null)
    t.equal(spreadOf({ median: 0, min: 0, max: 0, p99: null }), 0)
})

t.test('ratio: over 1 is ours better, whichever way is better', async (t) => {
    t.equal(ratioOf(2, 8, 'lower'), 4)
    t.equal(ratioOf(8, 2, 'higher'), 4)
    t.equal(ratioOf(8, 2, 'lower'), 0.25)
})

t.test('the ratio of pairs: what slows both does not show', async (t) => {
    t.equal(pairedRatioOf([1, 2, 30], [2, 4, 60], 'lower'), 2)
    t.equal(pairedRatioOf([1, 2, 30], [2, 4, 60], 'higher'), 0.5)
    t.throws(() => pairedRatioOf([1], [], 'lower'), RangeError)
})

t.test('numbers carry three digits', async (t) => {
    t.equal(formatNumber(7.912), '7.91')
    t.equal(formatNumber(27.63), '27.6')
    t.equal(formatNumber(1234.5), '1235')
    t.equal(formatNumber(235_412), '235 k')
    t.equal(formatNumber(3_312_000), '3.31 M')
    t.equal(formatNumber(0), '0')
    t.equal(formatNumber(Number.POSITIVE_INFINITY), '-')
})
