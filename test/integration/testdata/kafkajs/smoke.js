// node smoke.js BOOTSTRAP STORY: one story of a kafkajs user, which ends with
// code 0 if it went as it should.
const assert = require('node:assert/strict')
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const [bootstrap, story] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'smoke', brokers: [bootstrap], logLevel: logLevel.ERROR })

const values = (n, prefix) => Array.from({ length: n }, (_, i) => `${prefix}-${i}`)
const messages = (list) => list.map((value, i) => ({ key: `k${i % 7}`, value }))

async function create(topic, numPartitions) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  await admin.disconnect()
}

async function produce(topic, list, settings = {}, compression = CompressionTypes.None) {
  const producer = kafka.producer(settings)
  await producer.connect()
  await producer.send({ topic, messages: messages(list), compression, acks: -1 })
  await producer.disconnect()
}

// consume reads in a group until it has as many values as are wanted.
async function consume(topic, groupId, wanted, settings = {}) {
  const consumer = kafka.consumer({ groupId, ...settings })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const got = []
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${got.length} of ${wanted} records`)), 30000)
    consumer
      .run({
        eachMessage: async ({ message }) => {
          got.push(message.value.toString())
          if (got.length === wanted) {
            clearTimeout(late)
            resolve()
          }
        },
      })
      .catch(reject)
  })
  await consumer.disconnect() // commits what was read
  return got.sort()
}

const stories = {
  async plain(topic) {
    await create(topic, 3)
    const list = values(300, 'plain')
    await produce(topic, list)
    assert.deepEqual(await consume(topic, `${topic}-group`, 300), list.sort())
  },
  async gzip(topic) {
    await create(topic, 1)
    const list = values(300, 'gzip'.repeat(20))
    await produce(topic, list, {}, CompressionTypes.GZIP)
    assert.deepEqual(await consume(topic, `${topic}-group`, 300), list.sort())
  },
  // What a group has committed is not read again by its next member.
  async group(topic) {
    await create(topic, 2)
    const first = values(100, 'first')
    await produce(topic, first)
    assert.deepEqual(await consume(topic, `${topic}-group`, 100), first.sort())
    const second = values(50, 'second')
    await produce(topic, second)
    assert.deepEqual(await consume(topic, `${topic}-group`, 50), second.sort())
    const admin = kafka.admin()
    await admin.connect()
    const [offsets] = await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] })
    assert.equal(offsets.partitions.reduce((sum, p) => sum + Number(p.offset), 0), 150)
    await admin.disconnect()
  },
  async idempotent(topic) {
    await create(topic, 1)
    const list = values(300, 'idempotent')
    await produce(topic, list, { idempotent: true })
    assert.deepEqual(await consume(topic, `${topic}-group`, 300), list.sort())
  },
  // Output and offsets of a committed transaction are there, those of an
  // aborted one are not.
  async transaction(topic) {
    await create(topic, 1)
    const producer = kafka.producer({ transactionalId: `${topic}-id`, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const offsets = (offset) => ({
      consumerGroupId: `${topic}-input`,
      topics: [{ topic, partitions: [{ partition: 0, offset }] }],
    })
    const aborted = await producer.transaction()
    await aborted.send({ topic, messages: messages(values(20, 'aborted')) })
    await aborted.sendOffsets(offsets('7'))
    await aborted.abort()
    const committed = await producer.transaction()
    const list = values(30, 'committed')
    await committed.send({ topic, messages: messages(list) })
    await committed.sendOffsets(offsets('5'))
    await committed.commit()
    await producer.disconnect()

    assert.deepEqual(await consume(topic, `${topic}-group`, 30), list.sort())
    const admin = kafka.admin()
    await admin.connect()
    const [input] = await admin.fetchOffsets({ groupId: `${topic}-input`, topics: [topic] })
    assert.equal(input.partitions[0].offset, '5')
    await admin.disconnect()
  },
}

stories[story](`kafkajs-${story}`).catch((error) => {
  console.error(error)
  process.exit(1)
})
