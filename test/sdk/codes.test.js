// Runs the official JavaScript SDK against the server with simulated locks: access grants, access codes and automations.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { Seam, SeamHttpApiError, isSeamHttpInvalidInputError } from 'seam'

import { apiKey, startServer } from './programs.js'

let server
let seam
let locks

before(async () => {
  server = await startServer()
  seam = new Seam({ apiKey, endpoint: server.endpoint })
  await seam.customers.pushData({ customer_key: 'hotel', rooms: [{ room_key: '101', name: 'Room 101' }], guests: [{ guest_key: 'ada', name: 'Ada' }] })
  await post('/connected_accounts/create', { customer_key: 'hotel', provider: 'simulated', settings: { username: 'demo', password: 'demo' } })
  locks = await until('the locks', async () => await seam.locks.list({ customer_key: 'hotel' }), (found) => found.length >= 4)
  const space = await seam.spaces.get({ space_key: '101' })
  await seam.spaces.addDevices({ space_id: space.space_id, device_ids: [lockNamed('Room 101').device_id] })
})

after(async () => {
  assert.equal(await server?.stop(), 0, 'the server exits with status 0')
})

/** Sends a request that the SDK has no method for. */
const post = async (path, body) => (await seam.client.post(path, body)).data

const lockNamed = (name) => locks.find((d) => d.display_name === name)

/** Repeats a read until its result is as wanted, because locks are programmed in the background. */
const until = async (what, read, wanted) => {
  for (;;) {
    const found = await read()
    if (wanted(found)) return found
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
}

const hours = (n) => new Date(Date.now() + n * 3_600_000).toISOString()

test('an access grant: its codes are set, follow its times and disappear', async () => {
  const user = await seam.userIdentities.get({ user_identity_key: 'ada' })
  const grant = await seam.accessGrants.create({
    customer_key: 'hotel', user_identity_id: user.user_identity_id, space_keys: ['101'], device_ids: [lockNamed('Room 102').device_id],
    starts_at: hours(-1), ends_at: hours(24), requested_access_methods: [{ mode: 'code', code: '482695' }],
  })
  assert.equal(grant.requested_access_methods[0].code, '482695')
  const list = async () => await seam.accessCodes.list({ access_grant_id: grant.access_grant_id })
  const codes = await until('the codes', list, (found) => found.length === 2 && found.every((code) => code.status === 'set'))
  assert.deepEqual(new Set(codes.map((code) => code.device_id)), new Set([lockNamed('Room 101').device_id, lockNamed('Room 102').device_id]))
  assert.ok(codes.every((code) => code.code === '482695' && code.type === 'time_bound' && code.errors.length === 0))
  assert.deepEqual(await seam.accessCodes.get({ device_id: codes[0].device_id, code: '482695' }), codes[0])

  const [method] = await seam.accessMethods.list({ access_grant_id: grant.access_grant_id })
  assert.equal(method.code, '482695')
  assert.equal(method.is_issued, true)
  assert.deepEqual(await seam.accessMethods.get({ access_method_id: method.access_method_id }), method)

  const ends = hours(48)
  await seam.accessGrants.update({ access_grant_id: grant.access_grant_id, ends_at: ends })
  await until('the new times', list, (found) => found.every((code) => new Date(code.ends_at).getTime() === new Date(ends).getTime()))

  await seam.accessGrants.delete({ access_grant_id: grant.access_grant_id })
  assert.deepEqual(await list(), [])
  await assert.rejects(async () => await seam.accessCodes.get({ access_code_id: codes[0].access_code_id }), (err) => err.code === 'access_code_not_found' && err.statusCode === 404)
  for (const code of codes) {
    await until('the removal', async () => await seam.events.list({ access_code_id: code.access_code_id }), (events) => events.some((e) => e.event_type === 'access_code.removed_from_device'))
    const types = (await seam.events.list({ access_code_id: code.access_code_id })).map((e) => e.event_type).reverse()
    assert.equal(types[0], 'access_code.created')
    assert.ok(types.indexOf('access_code.set_on_device') < types.indexOf('access_code.removed_from_device'), String(types))
  }
})

test('an access code of one lock', async () => {
  const lock = lockNamed('Room 103')
  const generated = await seam.accessCodes.generateCode({ device_id: lock.device_id })
  assert.match(generated.code, /^\d{4,9}$/)
  const made = await seam.accessCodes.create({ device_id: lock.device_id, name: 'Cleaner', code: '735173', starts_at: hours(-1), ends_at: hours(5) })
  assert.equal(made.name, 'Cleaner')
  const get = async () => await seam.accessCodes.get({ access_code_id: made.access_code_id })
  await until('the code', get, (code) => code.status === 'set')
  await seam.accessCodes.update({ access_code_id: made.access_code_id, code: '735174', type: 'ongoing' })
  await until('the new PIN', get, (code) => code.code === '735174' && code.status === 'set')
  await assert.rejects(async () => await seam.accessCodes.create({ device_id: lock.device_id, code: '735174' }), (err) => {
    assert.ok(err instanceof SeamHttpApiError, String(err))
    assert.equal(err.code, 'duplicate_access_code')
    assert.equal(err.statusCode, 409)
    assert.ok(!err.message.includes('735174'))
    return true
  })
  assert.deepEqual(await seam.accessCodes.unmanaged.list({ device_id: lock.device_id }), [], 'the lock holds only codes of the library')
  await seam.accessCodes.delete({ access_code_id: made.access_code_id })
  assert.deepEqual(await seam.accessCodes.list({ device_id: lock.device_id }), [])
})

test('unmanaged codes: one is converted, and one is deleted', async () => {
  const { device_id: id } = lockNamed('Front door')
  const own = await seam.accessCodes.create({ device_id: id, code: '735175' })
  const get = async (code) => await seam.accessCodes.get({ access_code_id: code })
  await until('the code', async () => await get(own.access_code_id), (code) => code.status === 'set')
  const list = async () => await seam.accessCodes.unmanaged.list({ device_id: id })
  const [owner, neighbour] = await until('the unmanaged codes', list, (found) => found.length === 2)
  assert.deepEqual([owner, neighbour].map((code) => [code.name, code.code, code.is_managed, code.status]), [['Owner', '405189', false, 'set'], ['Neighbour', '405190', false, 'set']])
  assert.deepEqual(await seam.accessCodes.unmanaged.get({ access_code_id: owner.access_code_id }), owner)
  assert.deepEqual(await seam.accessCodes.unmanaged.get({ device_id: id, code: '405190' }), neighbour)
  await assert.rejects(async () => await get(owner.access_code_id), (err) => err.code === 'access_code_not_found')

  await seam.accessCodes.unmanaged.convertToManaged({ access_code_id: owner.access_code_id })
  const converted = await until('the converted code', async () => await get(owner.access_code_id), (code) => code.status === 'set')
  assert.deepEqual([converted.name, converted.code, converted.is_managed, converted.errors, converted.warnings], ['Owner', '405189', true, [], []])
  await seam.accessCodes.unmanaged.delete({ access_code_id: neighbour.access_code_id })
  assert.deepEqual(await list(), [])
  await until('the removal', async () => await seam.events.list({ access_code_id: neighbour.access_code_id }), (events) => events.some((e) => e.event_type === 'access_code.unmanaged.removed'))
  const types = async (code) => (await seam.events.list({ access_code_id: code })).map((e) => e.event_type)
  assert.deepEqual((await types(owner.access_code_id)).reverse(), ['access_code.unmanaged.converted_to_managed', 'access_code.set_on_device'])

  await seam.accessCodes.delete({ access_code_id: owner.access_code_id })
  await until('the removal', async () => await types(owner.access_code_id), (found) => found.includes('access_code.removed_from_device'))
  assert.deepEqual((await seam.accessCodes.list({ device_id: id })).map((code) => code.access_code_id), [own.access_code_id])
  assert.deepEqual(await list(), [])
})

test('an access method is deleted, and its grant remains', async () => {
  const grant = await seam.accessGrants.create({ customer_key: 'hotel', space_keys: ['101'], requested_access_methods: [{ mode: 'code', code: '482697' }] })
  const list = async () => await seam.accessCodes.list({ access_grant_id: grant.access_grant_id })
  const [code] = await until('the code', list, (found) => found.length === 1 && found[0].status === 'set')
  const [method] = await seam.accessMethods.list({ access_grant_id: grant.access_grant_id })
  await seam.accessMethods.delete({ access_method_id: method.access_method_id })
  await assert.rejects(async () => await seam.accessMethods.get({ access_method_id: method.access_method_id }), (err) => err.code === 'access_method_not_found')
  assert.deepEqual(await list(), [])
  await until('the removal', async () => await seam.events.list({ access_code_id: code.access_code_id }), (events) => events.some((e) => e.event_type === 'access_code.removed_from_device'))
  assert.deepEqual((await seam.accessGrants.get({ access_grant_id: grant.access_grant_id })).access_method_ids, [])
})

test('codes that are not on their lock say why', async () => {
  const offline = await seam.accessCodes.create({ device_id: lockNamed('Room 104').device_id })
  const failed = async (id, code) => await until(code, async () => await seam.accessCodes.get({ access_code_id: id }), (found) => found.errors.some((e) => e.error_code === code && e.message.length > 10))
  assert.equal((await failed(offline.access_code_id, 'device_offline')).status, 'unset')

  const lock = lockNamed('Room 103')
  const slots = lock.properties.max_active_codes_supported
  const made = []
  for (let i = 0; i <= slots; i += 1) made.push(await seam.accessCodes.create({ device_id: lock.device_id }))
  const list = async () => await seam.accessCodes.list({ device_id: lock.device_id })
  const codes = await until('a full lock', list, (found) => found.filter((code) => code.status === 'set').length === slots && found.some((code) => code.errors.length > 0))
  const [waiting] = codes.filter((code) => code.errors.length > 0)
  assert.equal(waiting.errors[0].error_code, 'no_space_for_access_code_on_device')
  assert.match(waiting.errors[0].message, /occupied/)
})

test('requests that are refused name the parameter', async () => {
  const invalid = (name) => (err) => {
    assert.ok(isSeamHttpInvalidInputError(err), String(err))
    assert.equal(err.getValidationErrorMessages(name).length, 1, String(err))
    return true
  }
  await assert.rejects(async () => await seam.accessCodes.create({ device_id: lockNamed('Room 103').device_id, code: '12' }), invalid('code'))
  await assert.rejects(async () => await seam.accessCodes.create({ device_id: lockNamed('Room 103').device_id, is_one_time_use: true }), invalid('is_one_time_use'))
  await assert.rejects(async () => await seam.accessGrants.create({ space_keys: ['101'], requested_access_methods: [{ mode: 'code' }] }), invalid('customer_key'))
  await assert.rejects(async () => await seam.accessGrants.create({ customer_key: 'hotel', space_keys: ['101'], requested_access_methods: [{ mode: 'card' }] }), (err) => err.code === 'not_supported' && err.statusCode === 501)
  await assert.rejects(async () => await seam.accessCodes.list({ search: 'x' }), (err) => isSeamHttpInvalidInputError(err) && err.statusCode === 400)
})

test('automations and their runs', async () => {
  await post('/seam/customer/v1/automations/update', { customer_key: 'hotel', access_rules: { lead_minutes: 30 } })
  const { access_rules: rules } = await post('/seam/customer/v1/automations/get', { customer_key: 'hotel' })
  assert.equal(rules.lead_minutes, 30)
  assert.deepEqual(rules.reservation_created.config.access_methods, ['code'])
  await post('/seam/customer/v1/automations/delete', { customer_key: 'hotel' })
  await seam.customers.pushData({ customer_key: 'hotel', reservations: [{ reservation_key: 'stay', guest_key: 'ada', room_keys: ['101'], ends_at: hours(24) }] })
  const reservation = await until('the codes', async () => await seam.accessGrants.get({ access_grant_key: 'stay' }), (grant) => grant.last_automation_result)
  assert.equal(reservation.last_automation_result.success, true)
  const { automation_runs: runs } = await post('/seam/customer/v1/automation_runs/list', { customer_key: 'hotel', partner_resource_id: reservation.access_grant_id })
  assert.deepEqual(runs.map((run) => [run.partner_key, run.automation_result.rule]), [['stay', 'reservation_created']])
})

test('the log has no PIN', () => {
  assert.ok(server.log().includes('/access_codes/create'))
  for (const pin of ['482695', '482697', '735173', '735174', '735175', '405189', '405190']) assert.ok(!server.log().includes(pin))
})
