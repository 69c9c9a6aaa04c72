package data_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

func TestPush_InvalidTimes_ReturnFaults(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, input := range []string{
			"2025-06-16", "2025-06-16T5:00:00Z", "2025-06-16T05:00:00,5Z", "2025-06-16T05:00:00+24:00", "2025-06-16T05:00:00",
			"2025-06-16 05:00:00Z", "2025-02-30T05:00:00Z", "2025-06-16T24:00:00Z", "0001-01-01T00:00:00Z", "0000-06-16T05:00:00Z",
			"2025-06-16T05:00:60Z", "20250616T050000Z", "2025-06-16T05:00:00.Z",
		} {
			_, err := pushJSON(t, ws, `{"customer_key": "acme", "bookings": [{"booking_key": "b", "starts_at": "`+input+`"}]}`)
			require.Equal(t, []string{"bookings[0].starts_at format"}, faults(t, err), input)
		}
	})
}

func TestPush_SeveralFaults_ReportsEachAndWritesNothing(t *testing.T) {
	const body = `{
		"customer_key": "acme",
		"sites": [{"site_key": " padded", "name": "Site"}],
		"rooms": [
			{"room_key": "1"},
			{"room_key": "2", "name": 7},
			{"room_key": "taken", "name": "A unit's key"},
			{"room_key": "3", "name": "Three"},
			{"room_key": "3", "name": "Three again"},
			{"room_key": "foreign", "name": "Another customer's"}
		],
		"spaces": [{
			"space_key": "s", "name": "S", "duration_minutes": 0, "geolocation": {"latitude": 91, "longitude": 0},
			"customer_data": {"time_zone": "Lisbon", "default_checkin_time": "25:00"}
		}],
		"property_listings": [{"property_listing_key": "p", "name": "P", "custom_metadata": {"a.b": "x", "c": 1}}],
		"staff_members": ["Mia", {"staff_member_key": "m", "name": "M", "starts_at": "2025-01-02T00:00:00Z", "ends_at": "2025-01-02T00:00:00Z"}],
		"reservations": [
			{"reservation_key": "r", "guest_key": "g", "tenant_key": "t", "room_keys": ["3", 4, ""]},
			{"reservation_key": "late", "starts_at": "2025-01-02T00:00:00Z", "ends_at": "2025-01-02T00:00:00Z"},
			{"reservation_key": "never", "starts_at": "tomorrow"}
		],
		"bookings": {"booking_key": "not in a list"}
	}`
	want := []string{
		"sites[0].site_key key_format",
		"rooms[0].name required",
		"rooms[1].name type",
		"rooms[2].room_key key_conflict",
		"rooms[4].room_key duplicate_key",
		"rooms[5].room_key key_conflict",
		"spaces[0].duration_minutes range",
		"spaces[0].geolocation.latitude range",
		"spaces[0].customer_data.time_zone format",
		"spaces[0].customer_data.default_checkin_time format",
		"property_listings[0].custom_metadata.a.b format",
		"property_listings[0].custom_metadata.c type",
		"staff_members[0] type",
		"staff_members[1].ends_at time_order",
		"reservations[0].tenant_key one_user",
		"reservations[0].room_keys[1] type",
		"reservations[0].room_keys[2] required",
		"reservations[1].ends_at time_order",
		"reservations[2].starts_at format",
		"bookings type",
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Unit("taken", "Unit"))
		push(t, ws, "other", data.Room("foreign", "Room"))
		before := dump(t, ws)
		_, err := pushJSON(t, ws, body)
		require.ElementsMatch(t, want, faults(t, err))
		require.Equal(t, before, dump(t, ws))

		require.ErrorIs(t, err, data.ErrKeyConflict)
		var invalid *validation.Error
		require.ErrorAs(t, err, &invalid)
		owners := map[string]string{}
		for _, f := range invalid.Faults {
			if f.Rule == validation.RuleKeyConflict {
				owners[f.Path] = f.Message
			}
		}
		require.Equal(t, map[string]string{
			"rooms[2].room_key": `"taken" is a unit of customer "acme", and cannot be a room of customer "acme"`,
			"rooms[5].room_key": `"foreign" is a room of customer "other", and cannot be a room of customer "acme"`,
		}, owners)
		var conflict *data.ConflictError
		require.ErrorAs(t, err, &conflict)
	})
}

func TestPush_InvalidKeys_ReturnFaults(t *testing.T) {
	good := []string{"a", strings.Repeat("x", 512), "with space", "ü/😀?#%", "!badger!", "a\u00a0b"}
	bad := []string{"", " a", "a ", "a\n", "\x00", "a\x7fb", "\xff", strings.Repeat("x", 513), "\u00a0a", "a\u0085b", "\u200b", "a\u00adb", "e\u0301"}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, key := range good {
			push(t, ws, key, data.Room(key, "Room"), data.Reservation(key, data.Ref{}, data.Refs(data.KindRoom, key)...))
			room, err := ws.Space(t.Context(), key)
			require.NoError(t, err, "%q", key)
			require.Equal(t, key, room.Key)
			report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, key)})
			require.NoError(t, err)
			require.Len(t, report.Deleted, 2, "%q", key)
		}
		before := dump(t, ws)
		for _, key := range bad {
			d := data.CustomerData{CustomerKey: key}
			d.Add(data.Room(key, "Room"), data.Guest("g", "G"),
				data.Reservation("r", data.Ref{Kind: data.KindGuest, Key: "g"}, data.Refs(data.KindRoom, key)...))
			_, err := ws.Push(t.Context(), d)
			require.Len(t, faults(t, err), 3, "%q", key)
			_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, key)})
			require.Len(t, faults(t, err), 1, "%q", key)
		}
		require.Equal(t, before, dump(t, ws))
	})
}

func TestPush_ValuesAtAndBeyondLimits_ReturnFaults(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	metadata := func(n int) data.CustomMetadata {
		m := data.CustomMetadata{}
		for i := range n {
			m[fmt.Sprint(i)] = "v"
		}
		return m
	}
	nan := data.Geolocation{Latitude: 1, Longitude: 0}
	nan.Longitude /= 0 * nan.Latitude
	tests := []struct {
		name     string
		resource data.Resource
		want     []string
	}{
		{"name of maximum length", data.Room("1", long(4096)), nil},
		{"name that is too long", data.Room("1", long(4097)), []string{"rooms[0].name text_format"}},
		{"name with control character", data.Room("1", "a\ab"), []string{"rooms[0].name text_format"}},
		{"name that is not UTF-8", data.Room("1", "\xff"), []string{"rooms[0].name text_format"}},
		{"negative duration", data.Space{Kind: data.KindSpace, Key: "1", Name: "S", DurationMinutes: -1}, []string{"spaces[0].duration_minutes range"}},
		{"longitude NaN", data.Space{Kind: data.KindSpace, Key: "1", Name: "S", Geolocation: &nan}, []string{"spaces[0].geolocation.longitude range"}},
		{"local time zone", data.Space{Kind: data.KindSpace, Key: "1", Name: "S", Details: data.SpaceDetails{TimeZone: "Local"}}, []string{"spaces[0].customer_data.time_zone format"}},
		{"field of another kind", data.Space{Kind: data.KindRoom, Key: "1", Name: "R", DurationMinutes: 1, CustomMetadata: data.CustomMetadata{"a": "b"}},
			[]string{"rooms[0].duration_minutes not_a_field", "rooms[0].custom_metadata not_a_field"}},
		{"spaces of a guest", data.UserIdentity{Kind: data.KindGuest, Key: "1", Name: "G", Spaces: data.Refs(data.KindRoom, "1")}, []string{"guests[0].room_keys not_a_field"}},
		{"times of a guest", data.UserIdentity{Kind: data.KindGuest, Key: "1", Name: "G", StartsAt: day(1), EndsAt: day(2)},
			[]string{"guests[0].starts_at not_a_field", "guests[0].ends_at not_a_field"}},
		{"clear of the end of a guest", data.UserIdentity{Kind: data.KindGuest, Key: "1", Name: "G", Clear: []string{"ends_at"}}, []string{"guests[0].clear not_a_field"}},
		{"end of a staff member before the start", data.StaffMember("1", "M").During(day(2), day(1)), []string{"staff_members[0].ends_at time_order"}},
		{"guest in Spaces", data.Space{Kind: data.KindGuest, Key: "1", Name: "G"}, []string{"spaces[0].kind not_a_field"}},
		{"no kind", data.Space{Key: "1", Name: "G"}, []string{"spaces[0].kind not_a_field"}},
		{"staff member as user", data.Reservation("1", data.Ref{Kind: data.KindStaffMember, Key: "m"}), []string{"reservations[0].user not_a_field"}},
		{"guest as space", data.Reservation("1", data.Ref{}, data.Refs(data.KindGuest, "g")...), []string{"reservations[0].spaces not_a_field"}},
		{"clear of unknown field", data.Space{Kind: data.KindRoom, Key: "1", Name: "R", Clear: []string{"geolocation"}}, []string{"rooms[0].clear not_a_field"}},
		{"clear of required name", data.Space{Kind: data.KindRoom, Key: "1", Clear: []string{"name"}}, []string{"rooms[0].name required"}},
		{"50 keys of metadata", data.Space{Kind: data.KindPropertyListing, Key: "1", Name: "P", CustomMetadata: metadata(50)}, nil},
		{"51 keys of metadata", data.Space{Kind: data.KindPropertyListing, Key: "1", Name: "P", CustomMetadata: metadata(51)}, []string{"property_listings[0].custom_metadata too_many"}},
		{"metadata of maximum length", data.AccessGrant{Kind: data.KindReservation, Key: "1", CustomMetadata: data.CustomMetadata{
			long(40): long(500), "n": nil, "e": "", "t": true}}, nil},
		{"metadata beyond limits", data.AccessGrant{Kind: data.KindReservation, Key: "1", CustomMetadata: data.CustomMetadata{
			long(41): "", "a": long(501), "b": 1, "": "x"}}, []string{
			"reservations[0].custom_metadata. format", "reservations[0].custom_metadata.a range",
			"reservations[0].custom_metadata.b type", "reservations[0].custom_metadata." + long(41) + " range"}},
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, test := range tests {
			d := data.CustomerData{CustomerKey: "acme"}
			d.Add(test.resource)
			_, err := ws.Push(t.Context(), d)
			if test.want == nil {
				require.NoError(t, err, test.name)
			} else {
				require.ElementsMatch(t, test.want, faults(t, err), test.name)
			}
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
		}
	})
}

func TestPush_MergedMetadataBeyondLimit_ReturnsFault(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		listing := func(prefix string, n int, v any) data.Space {
			m := data.CustomMetadata{}
			for i := range n {
				m[prefix+strings.Repeat("i", i)] = v
			}
			return data.Space{Kind: data.KindPropertyListing, Key: "p", Name: "P", CustomMetadata: m}
		}
		push(t, ws, "acme", listing("a", 30, "x"))
		d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{listing("b", 30, "x")}}
		_, err := ws.Push(t.Context(), d)
		require.Equal(t, []string{"property_listings[0].custom_metadata too_many"}, faults(t, err))
		push(t, ws, "acme", listing("a", 30, nil))
		_, err = ws.Push(t.Context(), d)
		require.NoError(t, err)
	})
}

func TestPush_WrongJSONTypes_ReturnFaults(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for body, want := range map[string][]string{
			`[]`:                                     {"customer_data type", "customer_key required"},
			`{"customer_key": 1}`:                    {"customer_key type"},
			`{"customer_key": "a", "rooms": null}`:   nil,
			`{"customer_key": "a", "rooms": [null]}`: {"rooms[0] type"},
			`{"customer_key": "a", "spaces": [{"space_key": {}, "name": [1], "duration_minutes": "1", "geolocation": 1, "customer_data": []}]}`: {
				"spaces[0].space_key type", "spaces[0].name type", "spaces[0].duration_minutes type", "spaces[0].geolocation type", "spaces[0].customer_data type"},
			`{"customer_key": "a", "spaces": [{"space_key": "s", "name": "S", "duration_minutes": 1.5, "geolocation": {"latitude": 1}}]}`: {
				"spaces[0].duration_minutes type", "spaces[0].geolocation.longitude required"},
			`{"customer_key": "a", "spaces": [{"space_key": "s", "name": "S", "duration_minutes": 1e999, "geolocation": {"latitude": "1", "longitude": 1e999}}]}`: {
				"spaces[0].duration_minutes range", "spaces[0].geolocation.latitude type"},
			`{"customer_key": "a", "bookings": [{"booking_key": "b", "room_keys": "1", "starts_at": 5, "ends_at": "0000-01-01T00:00:00Z"}]}`: {
				"bookings[0].room_keys type", "bookings[0].starts_at type", "bookings[0].ends_at format"},
			`{"customer_key": "a", "staff_members": [{"staff_member_key": "m", "name": "M", "starts_at": 5, "ends_at": "0000-01-01T00:00:00Z"}]}`: {
				"staff_members[0].starts_at type", "staff_members[0].ends_at format"},
		} {
			_, err := pushJSON(t, ws, body)
			if want == nil {
				require.NoError(t, err, body)
			} else {
				require.ElementsMatch(t, want, faults(t, err), body)
			}
		}
	})
}

func TestPush_TooManyReferences_ReturnsFault(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		keys := strings.Repeat(`"k",`, 2000)
		_, err := pushJSON(t, ws, `{"customer_key": "a", "bookings": [{"booking_key": "b", "room_keys": [`+strings.TrimSuffix(keys, ",")+`]}]}`)
		require.Contains(t, faults(t, err), "bookings[0].room_keys[1000] too_many")
		var d data.CustomerData
		d.CustomerKey = "a"
		d.Add(data.Booking("b", data.Ref{}, append(manyRefs(data.KindRoom, 600), manyRefs(data.KindUnit, 600)...)...))
		_, err = ws.Push(t.Context(), d)
		require.Equal(t, []string{"bookings[0] too_many"}, faults(t, err))
	})
}

func manyRefs(kind data.Kind, n int) []data.Ref {
	out := make([]data.Ref, n)
	for i := range out {
		out[i] = data.Ref{Kind: kind, Key: fmt.Sprint(kind, i)}
	}
	return out
}

// TestPush_InvalidGoValues_ReturnsFaults pushes times and metadata that are out of range.
func TestPush_InvalidGoValues_ReturnsFaults(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		late, early := data.Reservation("late", data.Ref{}), data.Reservation("early", data.Ref{})
		late.EndsAt = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)
		early.StartsAt = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
		texts := data.Reservation("texts", data.Ref{})
		texts.CustomMetadata = data.CustomMetadata{"a\x00": "x", "b": "y\x00"}
		_, err := ws.Push(t.Context(), data.CustomerData{
			CustomerKey: "a", AccessGrants: []data.AccessGrant{late, early, texts},
			UserIdentities: []data.UserIdentity{data.StaffMember("m", "M").During(early.StartsAt, late.EndsAt)},
		})
		require.ElementsMatch(t, []string{
			"staff_members[0].starts_at range", "staff_members[0].ends_at range",
			"reservations[0].ends_at range", "reservations[1].starts_at range",
			"reservations[2].custom_metadata.a\x00 text_format", "reservations[2].custom_metadata.b text_format",
		}, faults(t, err))

		var b strings.Builder
		for i := range 1001 {
			fmt.Fprintf(&b, `"k%d": null,`, i)
		}
		_, err = pushJSON(t, ws, `{"customer_key": "a", "reservations": [{"reservation_key": "r", "custom_metadata": {`+b.String()+`"last": "x"}}]}`)
		require.Equal(t, []string{"reservations[0].custom_metadata too_many"}, faults(t, err))
	})
}
