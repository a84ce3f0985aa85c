// MQTT.js against a broker: README.md beside the folders says what the
// environment holds. Each step is named; the first that fails ends the program.
import mqtt from 'mqtt'
import { readFileSync } from 'node:fs'

const { MQTT_HOST, MQTT_PORT, MQTT_TLS_PORT, MQTT_WS_PORT, MQTT_CA, MQTT_USERNAME, MQTT_PASSWORD, MQTT_PREFIX } = process.env
const patience = 15000 // milliseconds

let step = 'start'
const begin = (name) => { step = name; console.log(name) }
const fail = (why) => { console.error(`mqttjs: ${step}: ${why}`); process.exit(1) }
process.on('unhandledRejection', fail)

let clients = 0
const options = (more) => ({
  clientId: `mqttjs-${process.pid}-${++clients}`, username: MQTT_USERNAME, password: MQTT_PASSWORD,
  clean: true, reconnectPeriod: 0, connectTimeout: patience, ...more,
})

const within = (promise, what) => Promise.race([
  promise, new Promise((_, no) => { setTimeout(() => no(new Error(`no ${what} in time`)), patience).unref() }),
])

// connect resolves to a client with a queue of what it receives.
async function connect(more = {}, url = `mqtt://${MQTT_HOST}:${MQTT_PORT}`) {
  const client = mqtt.connect(url, options(more))
  const messages = []
  let wake = () => {}
  client.on('message', (topic, payload, packet) => { messages.push({ topic, text: payload.toString(), packet }); wake() })
  client.next = () => within((async () => {
    while (messages.length === 0) await new Promise((yes) => { wake = yes })
    return messages.shift()
  })(), 'message')
  client.messages = messages
  client.connack = await within(new Promise((yes, no) => { client.once('connect', yes); client.once('error', no) }), 'CONNACK')
  return client
}

const expect = (what, got, want) => { if (got !== want) throw new Error(`${what} is ${got}, want ${want}`) }
const topic = (version, name) => `${MQTT_PREFIX}/v${version}/${name}`

async function roundTrips(version) {
  const sub = await connect({ protocolVersion: version })
  const pub = await connect({ protocolVersion: version })
  for (const qos of [0, 1, 2]) {
    begin(`v${version} QoS ${qos} both ways`)
    const [granted] = await sub.subscribeAsync(topic(version, `qos${qos}`), { qos })
    expect('granted QoS', granted.qos, qos)
    for (let i = 0; i < 10; i++) {
      await pub.publishAsync(topic(version, `qos${qos}`), `message ${i}`, { qos })
      const m = await sub.next()
      expect('payload', m.text, `message ${i}`)
      expect('QoS', m.packet.qos, qos)
    }
  }
  await sub.endAsync()
  await pub.endAsync()
}

async function retained(version) {
  begin(`v${version} retained`)
  const pub = await connect({ protocolVersion: version })
  await pub.publishAsync(topic(version, 'retained'), 'kept', { qos: 1, retain: true })
  const sub = await connect({ protocolVersion: version })
  await sub.subscribeAsync(topic(version, 'retained'), { qos: 1 })
  const m = await sub.next()
  expect('payload', m.text, 'kept')
  expect('retain', m.packet.retain, true)
  await pub.publishAsync(topic(version, 'retained'), '', { qos: 1, retain: true })
  await Promise.all([sub.endAsync(), pub.endAsync()])
}

async function will(version) {
  begin(`v${version} will`)
  const sub = await connect({ protocolVersion: version })
  await sub.subscribeAsync(topic(version, 'will'), { qos: 1 })
  const lost = await connect({
    protocolVersion: version, will: { topic: topic(version, 'will'), payload: Buffer.from('gone'), qos: 1, retain: false },
  })
  lost.stream.destroy()
  expect('payload', (await sub.next()).text, 'gone')
  await sub.endAsync()
}

async function resume(version) {
  begin(`v${version} persistent resume`)
  const durable = {
    protocolVersion: version, clientId: `mqttjs-durable-${process.pid}-${version}`, clean: false,
    properties: version === 5 ? { sessionExpiryInterval: 60 } : undefined,
  }
  let sub = await connect(durable)
  expect('session present', sub.connack.sessionPresent, false)
  await sub.subscribeAsync(topic(version, 'resume'), { qos: 1 })
  await sub.endAsync()
  const pub = await connect({ protocolVersion: version })
  await pub.publishAsync(topic(version, 'resume'), 'while away', { qos: 1 })
  sub = await connect(durable)
  expect('session present', sub.connack.sessionPresent, true)
  expect('payload', (await sub.next()).text, 'while away')
  await sub.unsubscribeAsync(topic(version, 'resume'))
  await Promise.all([sub.endAsync(), pub.endAsync()])
}

async function share(version) {
  begin(`v${version} share group`)
  const members = [await connect({ protocolVersion: version }), await connect({ protocolVersion: version })]
  for (const m of members) await m.subscribeAsync(`$share/mqttjs/${topic(version, 'share')}`, { qos: 1 })
  const pub = await connect({ protocolVersion: version })
  for (let i = 0; i < 20; i++) await pub.publishAsync(topic(version, 'share'), `${i}`, { qos: 1 })
  const deadline = Date.now() + patience
  const got = () => members.flatMap((m) => m.messages.map((x) => x.text))
  while (new Set(got()).size < 20 && Date.now() < deadline) await new Promise((yes) => setTimeout(yes, 20))
  expect('messages', got().length, 20)
  expect('distinct messages', new Set(got()).size, 20)
  await Promise.all([...members, pub].map((c) => c.endAsync()))
}

async function over(name, url, more) {
  begin(name)
  const c = await connect(more, url)
  await c.subscribeAsync(topic(4, name), { qos: 1 })
  await c.publishAsync(topic(4, name), 'secret', { qos: 1 })
  expect('payload', (await c.next()).text, 'secret')
  await c.endAsync()
}

for (const version of [4, 5]) {
  await roundTrips(version)
  await retained(version)
  await will(version)
  await resume(version)
  await share(version)
}
await over('WebSocket', `ws://${MQTT_HOST}:${MQTT_WS_PORT}/mqtt`)
if (MQTT_TLS_PORT) await over('TLS', `mqtts://${MQTT_HOST}:${MQTT_TLS_PORT}`, { ca: readFileSync(MQTT_CA) })
begin('done')
process.exit(0)
