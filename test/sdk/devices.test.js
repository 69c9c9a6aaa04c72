// Runs the official JavaScript SDK against the server with simulated devices.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { Seam, SeamHttpApiError, isSeamActionAttemptFailedError, isSeamHttpInvalidInputError } from 'seam'

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

/** Opens the url of a connect webview like a browser without script: it keeps cookies and follows redirects of the server. */
const visitor = () => {
  const cookies = new Map()
  const visit = async (url, form) => {
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), redirect: 'manual',
      headers: { cookie: [...cookies].map((c) => c.join('=')).join('; '), ...(form && { origin: server.endpoint, 'sec-fetch-site': 'same-origin' }) },
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    return location ? await visit(new URL(location, url)) : { url: new URL(url), status: answer.status, text: await answer.text() }
  }
  return visit
}

/** Returns the value of an attribute that a pattern finds, without the escapes of HTML. */
const attribute = (text, pattern) => pattern.exec(text)[1].replaceAll('&amp;', '&').replaceAll('&#43;', '+')

test('connect webview to connected account', async () => {
  await seam.customers.pushData({ customer_key: 'inn', rooms: [{ room_key: 'inn-1', name: 'Attic' }] })
  const webview = await seam.connectWebviews.create({
    customer_key: 'inn', custom_redirect_url: 'https://host.example/done?order=7', custom_metadata: { order: '7' }, accepted_providers: ['simulated'],
  })
  assert.equal(webview.status, 'pending')
  assert.equal(webview.login_successful, false)
  assert.equal(webview.connected_account_id ?? null, null)
  assert.ok(webview.url.startsWith(server.endpoint), webview.url)

  const visit = visitor()
  const providers = await visit(webview.url)
  const start = new URL(attribute(providers.text, /action="([^"]*connect\/start[^"]*)"/), providers.url)
  const wrong = await visit(start, { 'answer.username': 'demo', 'answer.password': 'wrong-secret' })
  assert.equal(wrong.status, 422)
  assert.ok(!wrong.text.includes('wrong-secret'))
  assert.equal((await seam.connectWebviews.get({ connect_webview_id: webview.connect_webview_id })).status, 'pending')
  const done = await visit(start, { 'answer.username': 'demo', 'answer.password': 'demo' })
  const to = new URL(attribute(done.text, /http-equiv="refresh" content="0; url=([^"]*)"/))

  const authorized = await seam.connectWebviews.get({ connect_webview_id: webview.connect_webview_id })
  assert.equal(authorized.status, 'authorized')
  assert.equal(authorized.login_successful, true)
  assert.equal(authorized.selected_provider, 'simulated')
  assert.equal(to.origin + to.pathname, 'https://host.example/done')
  assert.deepEqual(Object.fromEntries(to.searchParams), {
    order: '7', connect_webview_id: webview.connect_webview_id, connected_account_id: authorized.connected_account_id,
  })
  const account = await seam.connectedAccounts.get({ connected_account_id: authorized.connected_account_id })
  assert.equal(account.customer_key, 'inn')
  assert.ok((await devicesOf({ customer_key: 'inn' })).every((d) => d.connected_account_id === account.connected_account_id))

  assert.deepEqual(await seam.connectWebviews.list({ customer_key: 'inn' }), [authorized])
  assert.deepEqual(await seam.connectWebviews.list({ custom_metadata_has: { order: '8' } }), [])
  await seam.connectWebviews.delete({ connect_webview_id: webview.connect_webview_id })
  assert.deepEqual(await seam.connectWebviews.list({ customer_key: 'inn' }), [])
  await assert.rejects(async () => await seam.connectWebviews.get({ connect_webview_id: webview.connect_webview_id }), (err) => err.statusCode === 404 && err.code === 'connect_webview_not_found')
  assert.equal((await visit(webview.url)).status, 410, 'the link of a deleted webview')
  await seam.connectedAccounts.delete({ connected_account_id: account.connected_account_id })
  assert.deepEqual(await seam.connectedAccounts.list({ customer_key: 'inn' }), [])
})

test('create, update and delete a space', async () => {
  const [lock] = await seam.locks.list({ customer_key: 'hotel' })
  const created = await seam.spaces.create({ customer_key: 'hotel', name: 'Cellar', device_ids: [lock.device_id], customer_data: { time_zone: 'Europe/Lisbon' } })
  assert.equal(created.device_count, 1)
  assert.equal(created.customer_key, 'hotel')
  await seam.spaces.update({ space_id: created.space_id, name: 'Wine cellar', device_ids: [] })
  const updated = await seam.spaces.get({ space_key: created.space_key })
  assert.equal(updated.name, 'Wine cellar')
  assert.equal(updated.device_count, 0)
  assert.equal(updated.customer_data.time_zone, 'Europe/Lisbon')
  await seam.spaces.delete({ space_id: created.space_id })
  await assert.rejects(async () => await seam.spaces.get({ space_id: created.space_id }), (err) => err.code === 'space_not_found')

  const events = await seam.events.list({ space_id: created.space_id })
  assert.deepEqual(events.map((e) => e.event_type), ['space.deleted', 'space.created'], 'the newest first')
  assert.deepEqual(await seam.events.get({ event_id: events[0].event_id }), events[0])
  assert.deepEqual(await seam.events.list({ space_id: created.space_id, since: events[1].created_at, event_type: 'space.created' }), [events[1]])
})

test('update a device and an account', async () => {
  const lock = (await seam.locks.list({ customer_key: 'hotel' })).find((d) => d.display_name === 'Room 102')
  await seam.devices.update({ device_id: lock.device_id, name: 'Sea view', custom_metadata: { floor: '1' } })
  const [found] = await seam.devices.list({ custom_metadata_has: { floor: '1' } })
  assert.equal(found.device_id, lock.device_id)
  assert.equal(found.display_name, 'Sea view')
  await assert.rejects(async () => await seam.devices.update({ device_id: lock.device_id, is_managed: false }), (err) =>
    isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('is_managed').length === 1)
  await seam.connectedAccounts.update({ connected_account_id: lock.connected_account_id, custom_metadata: { hub: true } })
  assert.deepEqual((await seam.connectedAccounts.get({ connected_account_id: lock.connected_account_id })).custom_metadata, { hub: true })
})

test('climate presets', async () => {
  const [thermostat] = await seam.thermostats.list()
  const preset = { device_id: thermostat.device_id, climate_preset_key: 'away' }
  await seam.thermostats.createClimatePreset({ ...preset, name: 'Away', hvac_mode_setting: 'heat', heating_set_point_celsius: 16 })
  await seam.thermostats.updateClimatePreset({ ...preset, heating_set_point_celsius: 15 })
  await seam.thermostats.setFallbackClimatePreset(preset)
  const { properties } = await seam.devices.get({ device_id: thermostat.device_id })
  assert.equal(properties.fallback_climate_preset_key, 'away')
  assert.equal(properties.available_climate_presets[0].heating_set_point_celsius, 15)
  const attempt = await seam.thermostats.activateClimatePreset(preset, { waitForActionAttempt: { timeout: 120_000, pollingInterval: 50 } })
  assert.equal(attempt.action_type, 'ACTIVATE_CLIMATE_PRESET')
  assert.equal(attempt.status, 'success')
  await assert.rejects(async () => await seam.thermostats.createClimatePreset({ ...preset, climate_preset_key: 'hot', heating_set_point_celsius: 99 }), (err) =>
    isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('heating_set_point_celsius').length === 1)
  await seam.thermostats.deleteClimatePreset(preset)
})

test('suggested mappings and attention', async () => {
  const { spaces } = await post('/seam/partner/v1/building_blocks/spaces/auto_map', { customer_key: 'hotel' })
  assert.deepEqual(spaces.map((s) => [s.partner_resource_key, s.devices[0].name]), [['101', 'Room 101']])
  const { attention_items: items } = await post('/attention', { customer_key: 'hotel', types: ['device_offline'] })
  assert.ok(items.some((item) => item.name === 'Room 104'))
})

test('errors of devices', async () => {
  const offline = (await seam.locks.list()).find((d) => d.display_name === 'Room 104')
  assert.equal(offline.properties.online, false)
  await assert.rejects(async () => await seam.locks.unlockDoor({ device_id: offline.device_id }, { waitForActionAttempt: { timeout: 120_000, pollingInterval: 50 } }), (err) => {
    assert.ok(isSeamActionAttemptFailedError(err), String(err))
    assert.equal(err.code, 'device_offline')
    return true
  })
  await assert.rejects(async () => await seam.webhooks.list(), (err) => err.code === 'not_supported' && err.statusCode === 501)
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
