// Runs the official JavaScript SDK against the standalone example.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import {
  Seam,
  SeamHttpApiError,
  isSeamHttpApiError,
  isSeamHttpInvalidInputError,
  isSeamHttpUnauthorizedError,
} from 'seam'

import { apiKey, startStandalone, workspaceId } from './programs.js'

let standalone
let seam

before(async () => {
  standalone = await startStandalone()
  seam = new Seam({ apiKey, endpoint: standalone.endpoint })
})

after(async () => {
  assert.equal(await standalone?.stop(), 0, 'the server exits with status 0')
})

const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const link = (url) => url.startsWith(standalone.endpoint + '/') && /\/[0-9a-z]{33}$/.test(url)

// everything returns a customer with all 19 collections and all fields of each.
const everything = (customerKey, prefix = '') => {
  const k = (key) => prefix + key
  const person = (name) => ({ name, email_address: `${prefix}${name}@example.com`.toLowerCase(), phone_number: '+351 555 0100' })
  return {
    customer_key: customerKey,
    spaces: [{
      space_key: k('space-1'), name: 'Meeting room', parent_site_key: k('site-1'), duration_minutes: 90,
      customer_data: { time_zone: 'Europe/Lisbon', default_checkin_time: '15:00', default_checkout_time: '11:00', address: 'Rua Augusta 1' },
      geolocation: { latitude: 38.7, longitude: -9.1 },
    }],
    sites: [{ site_key: k('site-1'), name: 'Lisbon' }],
    properties: [{ property_key: k('property-1'), name: 'Casa Azul' }],
    rooms: [1, 2, 3, 4, 5].map((n) => ({ room_key: k(`room-${n}`), name: `Room ${n}`, parent_site_key: k('site-1') })),
    common_areas: [{ common_area_key: k('pool'), name: 'Pool', parent_site_key: k('site-1') }],
    units: [{ unit_key: k('unit-1'), name: 'Unit 1', parent_site_key: k('site-1') }],
    facilities: [{ facility_key: k('facility-1'), name: 'Gym' }],
    buildings: [{ building_key: k('building-1'), name: 'East wing' }],
    listings: [{ listing_key: k('listing-1'), name: 'Loft' }],
    property_listings: [{ property_listing_key: k('property-listing-1'), name: 'Loft by the river', custom_metadata: { external_id: 'x-1', vip: true } }],
    user_identities: [{ user_identity_key: k('identity-1'), ...person('Ida') }],
    guests: [{ guest_key: k('guest-1'), ...person('Ada') }],
    tenants: [{ tenant_key: k('tenant-1'), ...person('Tom') }],
    residents: [{ resident_key: k('resident-1'), ...person('Rui') }],
    users: [{ user_key: k('user-1'), ...person('Uma') }],
    staff_members: [{
      staff_member_key: k('staff-1'), ...person('Mia'),
      space_keys: [k('space-1')], site_keys: [k('site-1')], property_keys: [k('property-1')], room_keys: [k('room-1')],
      common_area_keys: [k('pool')], unit_keys: [k('unit-1')], facility_keys: [k('facility-1')], building_keys: [k('building-1')],
      listing_keys: [k('listing-1')], property_listing_keys: [k('property-listing-1')],
    }],
    access_grants: [{ access_grant_key: k('grant-1'), name: 'Always', user_identity_key: k('identity-1'), space_keys: [k('space-1')] }],
    reservations: [{
      reservation_key: k('reservation-1'), name: "Ada's stay", guest_key: k('guest-1'), room_keys: [k('room-1')], common_area_keys: [k('pool')],
      starts_at: '2025-06-16T14:00:00+01:00', ends_at: '2035-06-18T10:00:00.000Z', preferred_code: '123456',
      custom_metadata: { channel: 'web', paid: true },
    }],
    bookings: [{
      booking_key: k('booking-1'), tenant_key: k('tenant-1'), property_keys: [k('property-1')], unit_keys: [k('unit-1')],
      facility_keys: [k('facility-1')], building_keys: [k('building-1')], listing_keys: [k('listing-1')],
    }],
  }
}

describe('createPortal', () => {
  test('with every documented option', async () => {
    const portal = await seam.customers.createPortal({
      customer_data: everything('Portal Hotels', 'p-'),
      features: {
        connect: { exclude: false, accepted_providers: ['yale'], excluded_providers: ['august'] },
        organize: { exclude: false },
        manage: {
          exclude: false, exclude_reservation_management: false, exclude_reservation_technical_details: true, exclude_staff_management: true,
          events: { allowed_events: ['reservation.created'], default_events: ['reservation.created'] },
          device_management_confirmation: { title: 'Sure?', body: 'It opens.', confirm_button_label: 'Yes', cancel_button_label: 'No' },
        },
        manage_devices: { exclude: false },
        configure: {
          exclude: false, allow_access_automation_rule_customization: true,
          allow_climate_automation_rule_customization: true, allow_instant_key_customization: true,
        },
      },
      is_embedded: true, read_only: true, navigation_mode: 'restricted', locale: 'pt-PT', exclude_locale_picker: true,
      landing_page: { manage: { reservation_key: 'p-reservation-1' } },
      customer_resources_filters: [
        { field: 'channel', operation: '=', value: 'web' },
        { field: 'paid', operation: '=', value: true },
      ],
    })
    assert.deepEqual(Object.keys(portal).sort(), ['created_at', 'customer_key', 'expires_at', 'url', 'workspace_id'])
    assert.equal(portal.customer_key, 'Portal Hotels')
    assert.equal(portal.workspace_id, workspaceId)
    assert.match(portal.created_at, timestamp)
    assert.match(portal.expires_at, timestamp)
    assert.ok(link(portal.url), portal.url)
  })

  test('returns the older magic_link with the report and the warnings', async () => {
    const answer = await seam.customers.createPortal({ customer_data: everything('Portal Hotels', 'p-'), deep_link: { resource_type: 'reservation', resource_key: 'p-reservation-1' } }).fetchResponse()
    assert.equal(answer.ok, true)
    assert.deepEqual(answer.magic_link, answer.customer_portal)
    assert.match(answer.customer_portal_id, uuid)
    assert.equal(answer.report.created.spaces, 0)
    assert.equal(answer.report.unchanged.spaces, 14)
    assert.deepEqual(answer.warnings, [])
  })
})

describe('pushData and what it leaves to be read', () => {
  before(async () => {
    assert.equal(await seam.customers.pushData(everything('Acme Hotels')), undefined)
  })

  test('pushing all 19 collections again changes nothing', async () => {
    const { report } = await seam.customers.pushData(everything('Acme Hotels')).fetchResponse()
    assert.deepEqual(report.created, { spaces: 0, user_identities: 0, access_grants: 0 })
    assert.deepEqual(report.unchanged, { spaces: 14, user_identities: 6, access_grants: 3 })
    assert.equal(new Set(report.resources.map((r) => r.kind)).size, 19)
  })

  test('spaces.get by key and by id', async () => {
    const byKey = await seam.spaces.get({ space_key: 'space-1' })
    assert.equal(byKey.name, 'Meeting room')
    assert.equal(byKey.customer_key, 'Acme Hotels')
    assert.equal(byKey.workspace_id, workspaceId)
    assert.equal(byKey.parent_space_key, 'site-1')
    assert.deepEqual(byKey.geolocation, { latitude: 38.7, longitude: -9.1 })
    assert.equal(byKey.customer_data.time_zone, 'Europe/Lisbon')
    assert.deepEqual(await seam.spaces.get({ space_id: byKey.space_id }), byKey)
    const site = await seam.spaces.get({ space_key: 'site-1' })
    assert.equal(byKey.parent_space_id, site.space_id)
  })

  test('spaces.list with its filters', async () => {
    const spaces = await seam.spaces.list({ customer_key: 'Acme Hotels' })
    assert.equal(spaces.length, 14)
    const site = await seam.spaces.get({ space_key: 'site-1' })
    const inside = await seam.spaces.list({ parent_space_id: site.space_id })
    assert.deepEqual(inside.map((s) => s.space_key), ['pool', 'room-1', 'room-2', 'room-3', 'room-4', 'room-5', 'space-1', 'unit-1'])
    assert.deepEqual(await seam.spaces.list({ parent_space_key: 'site-1' }), inside)
    assert.deepEqual((await seam.spaces.list({ customer_key: 'Acme Hotels', search: 'loft' })).map((s) => s.name), ['Loft', 'Loft by the river'])
    assert.deepEqual((await seam.spaces.list({ space_key: 'pool' })).map((s) => s.space_key), ['pool'])
    assert.deepEqual(await seam.spaces.list({ connected_account_id: site.space_id }), [])
  })

  for (const [name, params, count] of [['spaces', { customer_key: 'Acme Hotels' }, 14], ['userIdentities', {}, 12], ['accessGrants', {}, 6]]) {
    test(`${name}.list page by page`, async () => {
      const all = await seam[name].list(params)
      assert.equal(all.length, count)
      const pages = seam.createPaginator(seam[name].list({ ...params, limit: 2 }))
      const [first, pagination] = await pages.firstPage()
      assert.equal(first.length, 2)
      assert.equal(pagination.hasNextPage, true)
      const [second] = await pages.nextPage(pagination.nextPageCursor)
      assert.deepEqual([...first, ...second], all.slice(0, 4))
      assert.deepEqual(await pages.flattenToArray(), all)
      const followed = await fetch(pagination.nextPageUrl, { headers: { authorization: `Bearer ${apiKey}` } })
      const { pagination: next, ...rest } = await followed.json()
      assert.deepEqual(Object.values(rest).find((v) => Array.isArray(v) && v.length > 0), second)
      assert.equal(next.has_next_page, count > 4)
    })
  }

  test('userIdentities.get and list', async () => {
    const ada = await seam.userIdentities.get({ user_identity_key: 'guest-1' })
    assert.equal(ada.full_name, 'Ada')
    assert.equal(ada.email_address, 'ada@example.com')
    assert.deepEqual(await seam.userIdentities.get({ user_identity_id: ada.user_identity_id }), ada)
    const tom = await seam.userIdentities.get({ user_identity_key: 'tenant-1' })
    const both = await seam.userIdentities.list({ user_identity_ids: [ada.user_identity_id, tom.user_identity_id] })
    assert.deepEqual(both, [ada, tom])
    assert.deepEqual(await seam.userIdentities.list({ user_identity_ids: [] }), [])
    assert.deepEqual((await seam.userIdentities.list({ search: 'uma' })).map((u) => u.full_name), ['Uma', 'Uma'])
    assert.deepEqual(await seam.userIdentities.list({ created_before: '2001-01-01T00:00:00Z' }), [])
  })

  test('accessGrants.get and list', async () => {
    const stay = await seam.accessGrants.get({ access_grant_key: 'reservation-1' })
    const [ada, room, pool] = await Promise.all([
      seam.userIdentities.get({ user_identity_key: 'guest-1' }), seam.spaces.get({ space_key: 'room-1' }), seam.spaces.get({ space_key: 'pool' }),
    ])
    assert.equal(stay.name, "Ada's stay")
    assert.equal(stay.reservation_key, 'reservation-1')
    assert.equal(stay.user_identity_id, ada.user_identity_id)
    assert.deepEqual([...stay.space_ids].sort(), [room.space_id, pool.space_id].sort())
    assert.equal(stay.starts_at, '2025-06-16T13:00:00.000000Z')
    assert.equal(stay.ends_at, '2035-06-18T10:00:00.000000Z')
    assert.equal(stay.requested_access_methods[0].code, '123456')
    assert.deepEqual(await seam.accessGrants.get({ access_grant_id: stay.access_grant_id }), stay)
    for (const filter of [
      { access_grant_ids: [stay.access_grant_id] }, { access_grant_key: 'reservation-1' }, { reservation_key: 'reservation-1' },
      { user_identity_id: ada.user_identity_id }, { space_id: room.space_id },
      { customer_key: 'Acme Hotels', user_identity_id: ada.user_identity_id, space_id: pool.space_id, access_grant_key: 'reservation-1' },
    ]) {
      assert.deepEqual(await seam.accessGrants.list(filter), [stay], JSON.stringify(filter))
    }
    assert.deepEqual(await seam.accessGrants.list({ reservation_key: 'booking-1' }), [])
    assert.deepEqual(await seam.accessGrants.list({ customer_key: 'Portal Hotels', access_grant_key: 'reservation-1' }), [])
    assert.deepEqual(await seam.accessGrants.list({ device_id: ada.user_identity_id }), [])
  })
})

describe('deleteData', () => {
  test('deleteData sends DELETE with a query and deletes the resources', async () => {
    await seam.customers.pushData(everything('Gone Hotels', 'g-'))
    const request = seam.customers.deleteData({ room_keys: ['g-room-1', 'g-room-2', 'nowhere'], guest_keys: [] })
    assert.equal(request.method, 'DELETE')
    const answer = await request.fetchResponse()
    assert.deepEqual(answer.report.deleted.map((d) => d.key), ['g-room-1', 'g-room-2'])
    assert.deepEqual(answer.report.not_found, [{ kind: 'room', key: 'nowhere' }])
    assert.deepEqual(answer.warnings, [])
    assert.deepEqual(await seam.spaces.list({ space_key: 'g-room-1' }), [])
    assert.deepEqual((await seam.spaces.list({ space_key: 'g-room-3' })).length, 1)

    assert.equal(await seam.customers.deleteData({ customer_keys: ['Gone Hotels'] }), undefined)
    await assert.rejects(async () => await seam.spaces.get({ space_key: 'g-room-3' }), (err) => isSeamHttpApiError(err) && err.code === 'space_not_found')
    assert.equal(await seam.customers.deleteData({ customer_keys: ['Gone Hotels'] }), undefined, 'deleting again succeeds')
  })
})

describe('typed errors', () => {
  test('a wrong key is unauthorized', async () => {
    const stranger = new Seam({ apiKey: 'seam_nobodyknowsthiskey', endpoint: standalone.endpoint })
    await assert.rejects(async () => await stranger.spaces.list(), (err) => {
      assert.ok(isSeamHttpUnauthorizedError(err))
      assert.equal(err.statusCode, 401)
      assert.equal(err.code, 'unauthorized')
      assert.match(err.requestId, uuid)
      return true
    })
  })

  test('invalid input names each field', async () => {
    await assert.rejects(async () => await seam.customers.pushData({ customer_key: ' padded', rooms: 'none', guests: [{ guest_key: 'g' }] }), (err) => {
      assert.ok(isSeamHttpInvalidInputError(err))
      assert.equal(err.statusCode, 400)
      assert.deepEqual(err.getValidationErrorMessages('customer_key'), ['begins or ends with white space'])
      assert.deepEqual(err.getValidationErrorMessages('rooms'), ['must be an array, not a string'])
      assert.deepEqual(err.getValidationErrorMessages('tenants'), [])
      assert.deepEqual(err.validationErrors.map((v) => v.parameterName).sort(), ['customer_key', 'guests', 'rooms'])
      assert.match(err.message, /guests\[0\]\.name: is required/)
      return true
    })
    await assert.rejects(async () => await seam.customers.createPortal({ customer_data: { customer_key: 'Acme Hotels' }, locale: 'tlh' }), (err) =>
      isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('locale')[0].startsWith('must be one of en-US'))
    await assert.rejects(async () => await seam.userIdentities.list({ limit: -1 }), (err) =>
      isSeamHttpInvalidInputError(err) && err.getValidationErrorMessages('limit').length === 1)
  })

  test('unknown resources and resources of another customer are API errors', async () => {
    for (const [ask, code, status] of [
      [() => seam.spaces.get({ space_key: 'none' }), 'space_not_found', 404],
      [() => seam.userIdentities.get({ user_identity_key: 'none' }), 'user_identity_not_found', 404],
      [() => seam.accessGrants.get({ access_grant_key: 'none' }), 'access_grant_not_found', 404],
      [() => seam.spaces.list({ customer_key: 'nobody' }), 'customer_not_found', 404],
      [() => seam.customers.pushData({ customer_key: 'thief', rooms: [{ room_key: 'room-1', name: 'Mine' }] }), 'conflict', 409],
      [() => seam.devices.get({ device_id: '2d6a3f1c-6d3c-4a57-9d0f-0d1f8a7b4c11' }), 'device_not_found', 404],
    ]) {
      await assert.rejects(async () => await ask(), (err) => {
        assert.ok(err instanceof SeamHttpApiError, String(err))
        assert.equal(err.code, code)
        assert.equal(err.statusCode, status)
        assert.match(err.requestId, uuid)
        return true
      })
    }
  })
})

test('the log contains no API key and no link', () => {
  const log = standalone.log()
  assert.ok(log.includes('route=/customers/create_portal'), log)
  assert.ok(!log.includes(apiKey))
  assert.ok(!/\/[0-9a-z]{33}\b/.test(log))
  assert.ok(!log.includes('Hotels'))
})
