// Runs the official JavaScript SDK against the server with simulated devices.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { Seam, SeamHttpApiError, isSeamHttpInvalidInputError } from 'seam'

import { apiKey, startServer } from './programs.js'

let server
let seam

before(async () => {
  server = await startServer()
  seam = new Seam({ apiKey, endpoint: server.endpoint })
})

after(async () => {
  assert.equal(await server?.stop(), 0, 'the server exits with status 0')
})

/** Sends a request that the SDK has no method for. */
const post = async (path, body) => (await seam.client.post(path, body)).data

/** Lists devices until there are some, because the inventory is read in the background. */
const devicesOf = async (query) => {
  for (;;) {
    const devices = await seam.devices.list(query)
    if (devices.length > 0) return devices
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

test('connect an account, map a lock, and control devices', async () => {
  await seam.customers.pushData({ customer_key: 'hotel', rooms: [{ room_key: '101', name: 'Room 101' }] })
  const { connected_account: account } = await post('/connected_accounts/create', { customer_key: 'hotel', provider: 'simulated', settings: { username: 'demo', password: 'demo' } })
  assert.equal((await seam.connectedAccounts.get({ connected_account_id: account.connected_account_id })).customer_key, 'hotel')
  assert.equal((await seam.connectedAccounts.list({ customer_key: 'hotel' })).length, 1)
  assert.ok((await seam.devices.listDeviceProviders()).some((p) => p.device_provider_name === 'simulated' && p.can_remotely_unlock))

  const devices = await devicesOf({ customer_key: 'hotel' })
  const lock = devices.find((d) => d.display_name === 'Room 101')
  assert.equal((await seam.devices.get({ device_id: lock.device_id })).device_type, 'simulated_lock')
  assert.ok((await seam.locks.list()).every((d) => d.can_remotely_unlock))
  assert.equal((await seam.noiseSensors.list()).length, 1)

  const space = await seam.spaces.get({ space_key: '101' })
  await seam.spaces.addDevices({ space_id: space.space_id, device_ids: [lock.device_id] })
  assert.deepEqual((await seam.devices.list({ space_id: space.space_id })).map((d) => d.device_id), [lock.device_id])
  assert.equal((await seam.spaces.get({ space_key: '101' })).device_count, 1)

  const attempt = await seam.locks.unlockDoor({ device_id: lock.device_id }, { waitForActionAttempt: { timeout: 120_000, pollingInterval: 50 } })
  assert.equal(attempt.status, 'success')
  assert.equal(attempt.result.was_confirmed_by_device, true)
  assert.equal((await seam.actionAttempts.get({ action_attempt_id: attempt.action_attempt_id }, { waitForActionAttempt: false })).status, 'success')

  const [thermostat] = await seam.thermostats.list()
  const heated = await seam.thermostats.heat({ device_id: thermostat.device_id, heating_set_point_celsius: 21 }, { waitForActionAttempt: { timeout: 120_000, pollingInterval: 50 } })
  assert.equal(heated.status, 'success')

  await seam.spaces.removeDevices({ space_id: space.space_id, device_ids: [lock.device_id] })
  assert.equal((await seam.spaces.get({ space_key: '101' })).device_count, 0)
})

test('errors of devices', async () => {
  const [thermostat] = await seam.thermostats.list()
  await assert.rejects(async () => await seam.thermostats.heat({ device_id: thermostat.device_id, heating_set_point_celsius: 99 }), (err) =>
    isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('heating_set_point_celsius').length === 1)
  await assert.rejects(async () => await seam.locks.unlockDoor({ device_id: thermostat.device_id }), (err) =>
    isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('device_id').length === 1)
  await assert.rejects(async () => await seam.locks.unlockDoor({ device_id: '00000000-0000-4000-8000-000000000000' }), (err) => {
    assert.ok(err instanceof SeamHttpApiError, String(err))
    assert.equal(err.code, 'device_not_found')
    assert.equal(err.statusCode, 404)
    return true
  })
})
