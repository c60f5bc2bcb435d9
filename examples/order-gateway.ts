// SPDX-License-Identifier: Apache-2.0
// Tick to trade: prices come in over TCP and are read in place through a ring; what crosses a limit is
// answered at once by an order, a prepared message with two fields patched. In between the way out is
// kept warm. Everything runs here, on two stacks joined by a wire within this process.
//
//     npx tsx examples/order-gateway.ts [TICKS]
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { runtime } from 'pronghorn'
import { connect, createServer } from 'pronghorn/net'

runtime.start({ stack: { drive: 'inline' } })

const TICK_BYTES = 32 // sequence u32, price u32, rest
const ORDER_BYTES = 48
const LIMIT = 1000
const ticks = Number(process.argv[2] ?? 20_000)

// ---- the exchange: pushes ticks, takes orders -----------------------------------------------------

let ordersTaken = 0
const exchange = createServer((socket) => {
    const ring = socket.ring()
    ring.onMessage({ bytes: ORDER_BYTES }, () => ordersTaken++)
    const tick = ring.template(Buffer.alloc(TICK_BYTES), {
        sequence: { at: 0, type: 'u32' },
        price: { at: 4, type: 'u32' },
    })
    let sequence = 0
    const push = () => {
        if (sequence === ticks) {
            socket.end()
            return
        }
        tick.set.sequence(sequence)
        tick.set.price(sequence % 10 === 3 ? LIMIT + 1 : LIMIT - 1)
        if (tick.send()) sequence++
        setImmediate(push)
    }
    push()
}).listen(0, '10.0.0.2')
await once(exchange, 'listening')

// ---- the gateway ----------------------------------------------------------------------------------

const socket = connect((exchange.address() as AddressInfo).port, '10.0.0.2')
await once(socket, 'connect')
const ring = socket.ring()
const order = ring.template(Buffer.from('ORDER   '.padEnd(ORDER_BYTES, '.')), {
    id: { at: 8, type: 'u32' },
    price: { at: 12, type: 'u32' },
})
const tickToTrade = createHistogram()
let orders = 0
let gaps = 0
let expected = 0

function trade(price: number): void {
    order.set.id(orders)
    order.set.price(price)
    if (order.send() && !ring.warming) orders++
}

ring.onMessage({ bytes: TICK_BYTES }, (view, offset, _length, receivedNs) => {
    const sequence = view.getUint32(offset)
    if (sequence !== expected) gaps++
    expected = sequence + 1
    const price = view.getUint32(offset + 4)
    if (price <= LIMIT) return
    trade(price)
    tickToTrade.record(Math.max(1, Number(process.hrtime.bigint()) - receivedNs))
})

// Ten times in the time between two orders, say: the same code, and nothing leaves.
const warmer = setInterval(() => ring.warm(() => trade(LIMIT)), 1)
await once(socket, 'close')
clearInterval(warmer)
exchange.close()

const us = (percent: number) => (tickToTrade.percentile(percent) / 1000).toFixed(1)
console.log(`${expected} ticks, ${gaps} gaps; ${orders} orders sent, ${ordersTaken} taken by the exchange`)
console.log(
    `tick to trade, from the packet's arrival to the end of send(): p50 ${us(50)} us, p99 ${us(99)} us`,
)
for (let i = 0; i < 12; i++) {
    const percent = 100 - 100 / 2 ** i
    console.log(`  ${percent.toFixed(3).padStart(7)} %  ${us(Math.max(percent, 0.1)).padStart(8)} us`)
}
