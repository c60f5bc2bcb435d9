// SPDX-License-Identifier: Apache-2.0
// ws, MQTT.js and aedes, KafkaJS: docs/typescript.md, "Libraries".
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Aedes } from 'aedes'
import { Kafka, logLevel } from 'kafkajs'
import mqtt from 'mqtt'
import t from 'tap'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import http from '../../lib/http.js'
import https from '../../lib/https.js'
import net, { connect } from '../../lib/net/index.js'
import tls from '../../lib/tls.js'
import { big, pair, start } from './support.js'

const { wire, ports, talk } = await start()
const portOf = (server: { address(): AddressInfo | string | null }) => (server.address() as AddressInfo).port

t.test('ws: client', async (t) => {
    for (const [how, options] of [
        ['createConnection', { createConnection: connect }],
        ['an agent', { agent: new http.Agent() }],
    ] as const) {
        const socket = new WebSocket(`ws://${wire.peer4}:${ports.http}/path`, options as object)
        await once(socket, 'open')
        socket.send('hello')
        t.equal(String((await once(socket, 'message'))[0]), 'hello', how)
        socket.send(big)
        t.equal(String((await once(socket, 'message'))[0]), big, '300,000 bytes there and back')
        socket.close(4001)
        t.equal((await once(socket, 'close'))[0], 4001)
    }
})

t.test('ws: server, with and without TLS', async (t) => {
    for (const [scheme, server] of [
        ['ws', http.createServer()],
        ['wss', https.createServer(pair)],
    ] as const) {
        const sockets = new WebSocketServer({ server })
        sockets.on('connection', (socket) => {
            socket.on('message', (data: RawData, binary) => socket.send(data, { binary }))
        })
        server.listen(0, wire.our4)
        await once(server, 'listening')
        const url = `${scheme}://${wire.our4}:${portOf(server)}`
        const seen = { short: 'hello', isBinary: false, long: true, isBinaryToo: true, code: 4001 }
        t.strictSame(await talk('ws', url), seen)
        const createConnection = scheme === 'ws' ? connect : tls.connect
        const trust = { ca: pair.cert, servername: 'localhost' }
        const own = new WebSocket(url, { createConnection, ...trust } as object)
        await once(own, 'open')
        own.send('to ourselves')
        t.equal(String((await once(own, 'message'))[0]), 'to ourselves', 'both ends ours')
        own.close()
        await once(own, 'close')
        sockets.close()
        await new Promise((resolve) => server.close(resolve))
    }
})

t.test('MQTT.js: client', async (t) => {
    const client = new mqtt.MqttClient(() => connect(ports.mqtt, wire.peer4) as never, {})
    await new Promise<void>((resolve) => client.once('connect', () => resolve()))
    await client.subscribeAsync('prices/#', { qos: 2 })
    const got = new Promise<[string, Buffer]>((resolve) =>
        client.once('message', (topic, payload) => resolve([topic, payload])),
    )
    await client.publishAsync('prices/a', big, { qos: 2 })
    const [topic, payload] = await got
    t.equal(topic, 'prices/a')
    t.equal(String(payload), big)
    await client.endAsync()
})

t.test('aedes: broker', async (t) => {
    const broker = await Aedes.createBroker()
    const server = net.createServer(broker.handle as never).listen(0, wire.our4)
    await once(server, 'listening')
    const seen = { topic: 'prices/a', whole: true }
    t.strictSame(await talk('mqtt', `mqtt://${wire.our4}:${portOf(server)}`), seen)
    await new Promise<void>((resolve) => broker.close(resolve))
    await new Promise((resolve) => server.close(resolve))
})

// (Debian has no Kafka: the broker is the few lines of peer.mjs, for two kinds of requests.)
t.test('KafkaJS: client', async (t) => {
    const kafka = new Kafka({
        brokers: [`${wire.peer4}:${ports.kafka}`],
        logLevel: logLevel.NOTHING,
        socketFactory: ({ host, port, onConnect }) => connect(port, host, onConnect),
    })
    const admin = kafka.admin()
    await admin.connect()
    t.strictSame(await admin.listTopics(), ['prices'])
    t.match(await admin.describeCluster(), { controller: 7, brokers: [{ nodeId: 7, port: ports.kafka }] })
    await admin.disconnect()
})
