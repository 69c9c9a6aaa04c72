package data_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

const hotel = `{
	"customer_key": "acme",
	"sites": [{"site_key": "lisbon", "name": "Lisbon"}],
	"rooms": [
		{"room_key": "101", "name": "Room 101", "parent_site_key": "lisbon"},
		{"room_key": "102", "name": "Room 102", "parent_site_key": "lisbon"}
	],
	"guests": [{"guest_key": "ada", "name": "Ada", "email_address": "ada@example.com"}],
	"reservations": [{
		"reservation_key": "r1", "guest_key": "ada", "room_keys": ["101"],
		"starts_at": "2025-06-16T15:00:00+01:00", "ends_at": "2025-06-18T11:00:00+01:00"
	}]
}`

func TestPush_NewUnchangedAndChangedData_ReportsEach(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		first, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		require.True(t, first.CustomerCreated)
		require.Equal(t, data.Tally{Spaces: 3, UserIdentities: 1, AccessGrants: 1}, first.Created)
		require.Empty(t, first.Warnings)
		require.Len(t, first.Resources, 5)
		require.Equal(t, data.Ref{Kind: data.KindSite, Key: "lisbon"}, data.Ref{Kind: first.Resources[0].Kind, Key: first.Resources[0].Key})

		before := dump(t, ws)
		again, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		require.False(t, again.CustomerCreated)
		require.Equal(t, data.Tally{Spaces: 3, UserIdentities: 1, AccessGrants: 1}, again.Unchanged)
		require.Zero(t, again.Created.Total()+again.Updated.Total())
		for i, r := range again.Resources {
			require.Equal(t, first.Resources[i].ID, r.ID, "the resource id does not change")
		}
		require.Equal(t, before, dump(t, ws), "pushing stored data writes nothing")

		changed, err := pushJSON(t, ws, strings.Replace(hotel, "Room 101", "Sea view", 1))
		require.NoError(t, err)
		require.Equal(t, data.Tally{Spaces: 1}, changed.Updated)
		room, err := ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.Equal(t, "Sea view", room.Name)
		require.Equal(t, first.Resources[1].ID, room.Meta.ID)
		require.Equal(t, "acme", room.Meta.CustomerKey)
		require.True(t, room.Meta.UpdatedAt.After(room.Meta.CreatedAt))

		customer, err := ws.Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{
			data.KindSite: 1, data.KindRoom: 2, data.KindGuest: 1, data.KindReservation: 1,
		}, customer.Counts)
	})
}

func TestPush_GoValuesAndTheirJSON_AreEqual(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lisbon := time.FixedZone("", 3600)
		push(t, ws, "acme",
			data.Site("lisbon", "Lisbon"),
			data.Room("101", "Room 101").In("lisbon"),
			data.Room("102", "Room 102").In("lisbon"),
			data.UserIdentity{Kind: data.KindGuest, Key: "ada", Name: "Ada", EmailAddress: "ada@example.com"},
			data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).
				During(time.Date(2025, 6, 16, 15, 0, 0, 0, lisbon), time.Date(2025, 6, 18, 11, 0, 0, 0, lisbon)),
		)
		report, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		require.Equal(t, 5, report.Unchanged.Total())
	})
}

func TestPush_StoredResource_MergesFields(t *testing.T) {
	const before = `{"customer_key": "acme",
		"spaces": [{"space_key": "s", "name": "S", "duration_minutes": 30,
			"customer_data": {"time_zone": "Europe/Lisbon", "address": "Rua 1"},
			"geolocation": {"latitude": 1.5, "longitude": -2}}],
		"property_listings": [{"property_listing_key": "p", "name": "P", "custom_metadata": {"a": "1", "b": true}}],
		"staff_members": [{"staff_member_key": "m", "name": "M", "phone_number": "1", "space_keys": ["s"], "room_keys": ["x", "y"]},
			{"staff_member_key": "timed", "name": "T", "starts_at": "2025-01-01T00:00:00Z", "ends_at": "2025-01-02T00:00:00Z", "room_keys": ["x"]}],
		"bookings": [{"booking_key": "b", "name": "B", "guest_key": "g", "space_keys": ["s"],
			"starts_at": "2025-01-01T00:00:00Z", "ends_at": "2025-01-02T00:00:00Z", "preferred_code": "1234"}]}`
	const timed = `{"staff_member_key": "timed", "name": "T", "starts_at": "2025-01-01T00:00:00.000000Z", "ends_at": "2025-01-02T00:00:00.000000Z",
		"room_keys": ["x"]}`
	tests := []struct{ name, patch, want string }{
		{"an absent field keeps its value",
			`"spaces": [{"space_key": "s"}]`,
			``},
		{"null clears a field",
			`"spaces": [{"space_key": "s", "duration_minutes": null, "geolocation": null, "customer_data": null}]`,
			`"spaces": [{"space_key": "s", "name": "S"}]`},
		{"null clears a field of an object and keeps the others",
			`"spaces": [{"space_key": "s", "customer_data": {"address": null, "default_checkin_time": "15:00"}}]`,
			`"spaces": [{"space_key": "s", "name": "S", "duration_minutes": 30,
				"customer_data": {"time_zone": "Europe/Lisbon", "default_checkin_time": "15:00"},
				"geolocation": {"latitude": 1.5, "longitude": -2}}]`},
		{"an empty string clears a field",
			`"staff_members": [{"staff_member_key": "m", "phone_number": ""}]`,
			`"staff_members": [{"staff_member_key": "m", "name": "M", "space_keys": ["s"], "room_keys": ["x", "y"]},
				` + timed + `]`},
		{"a list of spaces replaces the lists of all aliases",
			`"staff_members": [{"staff_member_key": "m", "room_keys": ["z"]}]`,
			`"staff_members": [{"staff_member_key": "m", "name": "M", "phone_number": "1", "room_keys": ["z"]},
				` + timed + `]`},
		{"an empty list of one alias clears the lists of all aliases",
			`"staff_members": [{"staff_member_key": "m", "room_keys": []}]`,
			`"staff_members": [{"staff_member_key": "m", "name": "M", "phone_number": "1"},
				` + timed + `]`},
		{"null clears one time of a staff member",
			`"staff_members": [{"staff_member_key": "timed", "ends_at": null}, {"staff_member_key": "m"}]`,
			`"staff_members": [{"staff_member_key": "m", "name": "M", "phone_number": "1", "space_keys": ["s"], "room_keys": ["x", "y"]},
				{"staff_member_key": "timed", "name": "T", "starts_at": "2025-01-01T00:00:00.000000Z", "room_keys": ["x"]}]`},
		{"metadata merges by key, and null removes a key",
			`"property_listings": [{"property_listing_key": "p", "custom_metadata": {"a": null, "b": false, "c": "3"}}]`,
			`"property_listings": [{"property_listing_key": "p", "name": "P", "custom_metadata": {"b": false, "c": "3"}}]`},
		{"empty metadata changes nothing",
			`"property_listings": [{"property_listing_key": "p", "custom_metadata": {}}]`,
			``},
		{"null clears metadata",
			`"property_listings": [{"property_listing_key": "p", "custom_metadata": null}]`,
			`"property_listings": [{"property_listing_key": "p", "name": "P"}]`},
		{"a user under another alias replaces the user",
			`"bookings": [{"booking_key": "b", "tenant_key": "t"}]`,
			`"bookings": [{"booking_key": "b", "name": "B", "tenant_key": "t", "space_keys": ["s"],
				"starts_at": "2025-01-01T00:00:00.000000Z", "ends_at": "2025-01-02T00:00:00.000000Z", "preferred_code": "1234"}]`},
		{"null for another alias keeps the user",
			`"bookings": [{"booking_key": "b", "tenant_key": null}]`,
			``},
		{"null clears times, name, code and user",
			`"bookings": [{"booking_key": "b", "name": null, "guest_key": null, "starts_at": null, "ends_at": null, "preferred_code": null}]`,
			`"bookings": [{"booking_key": "b", "space_keys": ["s"]}]`},
	}
	collection := func(t *testing.T, ws *data.Workspace, name string) string {
		d, err := ws.Export(t.Context(), "acme")
		require.NoError(t, err)
		out := data.CustomerData{CustomerKey: "acme"}
		for _, s := range d.Spaces {
			if s.Kind.Collection() == name {
				out.Add(s)
			}
		}
		for _, u := range d.UserIdentities {
			if u.Kind.Collection() == name {
				out.Add(u)
			}
		}
		for _, g := range d.AccessGrants {
			if g.Kind.Collection() == name {
				out.Add(g)
			}
		}
		b, err := out.MarshalJSON()
		require.NoError(t, err)
		return string(b)
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, test := range tests {
			_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
			_, err = pushJSON(t, ws, before)
			require.NoError(t, err)
			name := strings.SplitN(test.patch, `"`, 3)[1]
			want := `{"customer_key": "acme", ` + test.want + `}`
			if test.want == "" {
				want = collection(t, ws, name)
			}
			report, err := pushJSON(t, ws, `{"customer_key": "acme", `+test.patch+`}`)
			require.NoError(t, err, test.name)
			require.JSONEq(t, want, collection(t, ws, name), test.name)
			changed := data.Tally{}
			if test.want != "" {
				changed = report.Updated
				require.Equal(t, 1, changed.Total(), test.name)
			}
			require.Equal(t, changed, report.Updated, test.name)
		}
	})
}

func TestPush_GoValues_ClearAndReplaceFields(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		room := data.Room("101", "Room 101").In("lisbon")
		push(t, ws, "acme", data.Site("lisbon", "Lisbon"), room)

		push(t, ws, "acme", data.Space{Kind: data.KindRoom, Key: "101", Name: "New name"})
		got, err := ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.Equal(t, "lisbon", got.ParentSiteKey, "a zero value does not change the field")

		push(t, ws, "acme", data.Space{Kind: data.KindRoom, Key: "101", Clear: []string{"parent_site_key"}})
		got, err = ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.Empty(t, got.ParentSiteKey)
		require.Equal(t, "New name", got.Name)

		push(t, ws, "acme", room)
		d := data.CustomerData{CustomerKey: "acme"}
		d.Add(data.Room("101", "Room 101"))
		report, err := ws.PushWith(t.Context(), d, data.PushOptions{Replace: true})
		require.NoError(t, err)
		require.Equal(t, 1, report.Updated.Spaces)
		got, err = ws.Space(t.Context(), "101")
		require.NoError(t, err)
		require.Empty(t, got.ParentSiteKey, "Replace clears the absent fields")
	})
}

// TestPush_NullMetadata_DiffersFromTextWithSameBytes pushes a null whose encoding once equaled the encoding of the stored
// text, so that the text was not removed.
func TestPush_NullMetadata_DiffersFromTextWithSameBytes(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		text := strings.Repeat("€", 38) // 114 bytes, and 114 is 'r'; "r" + text has 115 bytes, and 115 is 's', the tag of a text
		listing := data.PropertyListing("p", "P")
		listing.CustomMetadata = data.CustomMetadata{"a": text}
		d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{listing}}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		d.Spaces[0].CustomMetadata = data.CustomMetadata{"a": nil, "r" + text: nil}
		report, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, data.Updated, report.Resources[0].Change)
		stored, err := ws.Space(t.Context(), "p")
		require.NoError(t, err)
		require.Empty(t, stored.CustomMetadata)
	})
}

func TestPush_DoubtfulData_ReturnsWarnings(t *testing.T) {
	const body = `{"customer_key": "acme", "spaceships": [], "_strict": true,
		"rooms": [{"room_key": "1", "name": "One", "parent_site_key": "nowhere", "colour": "red", "duration_minutes": 5}],
		"units": [{"unit_key": "2", "name": "Two", "parent_site_key": "1"}],
		"guests": [{"guest_key": "a", "name": "A", "email_address": "not an address"},
			{"guest_key": "b", "name": "B", "email_address": "x@EXAMPLE.com"}],
		"tenants": [{"tenant_key": "c", "name": "C", "email_address": "x@example.com"}],
		"reservations": [{"reservation_key": "r", "guest_key": "nobody", "room_keys": ["1", "1", "9"], "preferred_code": "12"}]}`
	want := []string{
		"spaceships unknown_field",
		"_strict unknown_field",
		"rooms[0].colour unknown_field",
		"rooms[0].duration_minutes unknown_field",
		"rooms[0].parent_site_key not_there_yet",
		"units[0].parent_site_key not_there_yet",
		"guests[0].email_address email_address",
		"tenants[0].email_address shared_email",
		"reservations[0].preferred_code preferred_code",
		"reservations[0].room_keys[1] reference_twice",
		"reservations[0].guest_key not_there_yet",
		"reservations[0].room_keys[2] not_there_yet",
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := ws.PushWith(t.Context(), decode(t, body), data.PushOptions{Strict: true})
		require.ElementsMatch(t, want, faults(t, err), "strict")
		require.Empty(t, dumpAfterSweep(t, ws))

		report, err := pushJSON(t, ws, body)
		require.NoError(t, err)
		require.ElementsMatch(t, want, pathsAndRules(report.Warnings))
		require.Equal(t, 6, report.Created.Total())

		// A reference resolves when its target is pushed later.
		later := push(t, ws, "acme", data.Guest("nobody", "Somebody"))
		require.Empty(t, later.Warnings)
		deleted, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, "nobody")})
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindGuest: 1, data.KindReservation: 1}, deleted.DeletedByKind())
	})
}

func TestPush_SkipInvalid_AppliesOnlyValidResources(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := decode(t, `{"customer_key": "acme",
			"rooms": [{"room_key": "1", "name": "One"}, {"room_key": "2"}, {"room_key": "3", "name": 3}],
			"reservations": [{"reservation_key": "r", "room_keys": ["1", "2"]}]}`)
		report, err := ws.PushWith(t.Context(), d, data.PushOptions{SkipInvalid: true})
		require.NoError(t, err)
		require.Equal(t, []string{"rooms[1].name required", "rooms[2].name type"}, pathsAndRules(report.Skipped))
		require.Equal(t, data.Tally{Spaces: 1, AccessGrants: 1}, report.Created)
		require.Equal(t, []string{"reservations[0].room_keys[1] not_there_yet"}, pathsAndRules(report.Warnings))
		require.JSONEq(t, `{"customer_key": "acme", "rooms": [{"room_key": "1", "name": "One"}],
			"reservations": [{"reservation_key": "r", "room_keys": ["1", "2"]}]}`, export(t, ws, "acme"))

		_, err = ws.PushWith(t.Context(), decode(t, `{"customer_key": " acme"}`), data.PushOptions{SkipInvalid: true})
		require.Equal(t, []string{"customer_key key_format"}, faults(t, err), "a fault of the customer refuses the whole push")
	})
}

// TestPush_RefusedUpdate_StoredResourceIsReferenceTarget pushes, with Strict and SkipInvalid, a room that is refused because
// of its site. The stored room is still a valid target of references.
func TestPush_RefusedUpdate_StoredResourceIsReferenceTarget(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("101", "Room 101"), data.Guest("ada", "Ada"))
		d := data.CustomerData{CustomerKey: "acme"}
		d.Add(data.Room("101", "Other").In("nowhere"), data.Reservation("r", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...))
		report, err := ws.PushWith(t.Context(), d, data.PushOptions{Strict: true, SkipInvalid: true})
		require.NoError(t, err)
		require.Len(t, report.Skipped, 1)
		require.Equal(t, 1, report.Created.AccessGrants)
	})
}

func TestPush_DryRun_ReportsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("101", "Old name"), data.Room("102", "Room 102"))
		before := dump(t, ws)
		planned, err := ws.PushWith(t.Context(), decode(t, hotel), data.PushOptions{DryRun: true, Within: nil})
		require.NoError(t, err)
		require.Equal(t, before, dump(t, ws))

		report, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		for i := range report.Resources {
			if report.Resources[i].Change == data.Created {
				require.Equal(t, uuid.Nil, planned.Resources[i].ID)
				planned.Resources[i].ID = report.Resources[i].ID
			}
		}
		require.Equal(t, report, planned)

		_, dryErr := ws.PushWith(t.Context(), decode(t, `{"customer_key": "acme", "rooms": [{"room_key": "new"}]}`), data.PushOptions{DryRun: true})
		require.Equal(t, []string{"rooms[0].name required"}, faults(t, dryErr))
	})
}

func TestPush_NoResources_CreatesCustomer(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		report := push(t, ws, "acme")
		require.True(t, report.CustomerCreated)
		customer, err := ws.Customer(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, "acme", customer.Key)
		require.Empty(t, customer.Counts)
		require.False(t, push(t, ws, "acme").CustomerCreated)
	})
}
