// SPDX-License-Identifier: Apache-2.0
// A user of amqplib that knows nothing of Pronghorn; node --import pronghorn/register puts it on our stack.
import { connect } from 'amqplib'

const COUNT = 1000
const connection = await connect(process.argv[2])
const publisher = await connection.createConfirmChannel()
const reader = await connection.createChannel()
const { queue } = await reader.assertQueue('', { exclusive: true })
await reader.prefetch(50)
const got = new Promise((resolve) => {
    let next = 0
    let wrong = 0
    let longest = 0
    reader.consume(queue, (message) => {
        if (message.properties.headers.number !== next++) wrong++
        longest = Math.max(longest, message.content.length)
        reader.ack(message)
        if (next === COUNT) resolve({ received: next, wrong, longest })
    })
})
for (let number = 0; number < COUNT; number++) {
    const content = Buffer.alloc(number === 500 ? 300_000 : 100, number)
    if (!publisher.sendToQueue(queue, content, { headers: { number } }))
        await new Promise((resolve) => publisher.once('drain', resolve))
}
await publisher.waitForConfirms()
const result = await got
const { localAddress } = connection.connection.stream
await connection.close()
console.log(
    JSON.stringify({ ...result, localAddress, product: connection.connection.serverProperties.product }),
)
