package data_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// TestPush_EachFieldOnEachKind_FollowsTheSchema compares the fields of each kind with a list that was written by hand from
// the API's schema, and pushes each field to each kind.
func TestPush_EachFieldOnEachKind_FollowsTheSchema(t *testing.T) {
	values := map[string]string{
		"name": `"x"`, "parent_site_key": `"s"`, "duration_minutes": `5`, "geolocation": `{"latitude": 1, "longitude": 2}`,
		"customer_data":   `{"time_zone": "Europe/Lisbon", "default_checkin_time": "15:00", "default_checkout_time": "11:00", "address": "x"}`,
		"custom_metadata": `{"a": "b"}`, "email_address": `"a@example.com"`, "phone_number": `"1"`,
		"starts_at": `"2030-01-01T00:00:00.000000Z"`, "ends_at": `"2030-01-02T00:00:00.000000Z"`, "preferred_code": `"1234"`,
		"guest_key": `"g"`, "tenant_key": `"g"`, "resident_key": `"g"`, "user_key": `"g"`, "user_identity_key": `"g"`, "staff_member_key": `"g"`,
	}
	spaceKeys := strings.Fields("space_keys site_keys property_keys room_keys common_area_keys unit_keys facility_keys building_keys listing_keys property_listing_keys")
	for _, name := range spaceKeys {
		values[name] = `["1", "2"]`
	}
	grantFields := append(strings.Fields("name guest_key tenant_key resident_key user_key user_identity_key starts_at ends_at preferred_code"), spaceKeys...)
	userFields := strings.Fields("name email_address phone_number")
	fields := map[string][]string{
		"space": strings.Fields("name parent_site_key duration_minutes customer_data geolocation"),
		"site":  {"name", "customer_data"}, "property": {"name"}, "facility": {"name"}, "building": {"name"}, "listing": {"name"},
		"room": {"name", "parent_site_key"}, "common_area": {"name", "parent_site_key"}, "unit": {"name", "parent_site_key"},
		"property_listing": {"name", "custom_metadata"},
		"user_identity":    userFields, "guest": userFields, "tenant": userFields, "resident": userFields, "user": userFields,
		"staff_member": append(append(slices.Clone(userFields), "starts_at", "ends_at"), spaceKeys...),
		"access_grant": grantFields, "booking": grantFields, "reservation": append(slices.Clone(grantFields), "custom_metadata"),
	}
	require.Len(t, fields, len(data.Kinds()))
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, kind := range data.Kinds() {
			for name, value := range values {
				key := kind.KeyField()
				if name == key {
					continue
				}
				if kind == data.KindSite && name == "customer_data" { // a site has no address
					value = `{"time_zone": "Europe/Lisbon", "default_checkin_time": "15:00", "default_checkout_time": "11:00"}`
				}
				entry := fmt.Sprintf(`{%q: "k", %q: %s}`, key, name, value)
				if name != "name" && kind.Class() != data.ClassAccessGrant {
					entry = fmt.Sprintf(`{%q: "k", "name": "n", %q: %s}`, key, name, value)
				}
				body := fmt.Sprintf(`{"customer_key": "acme", %q: [%s]}`, kind.Collection(), entry)
				report, err := pushJSON(t, ws, body)
				require.NoError(t, err, body)
				var unknown []string
				for _, w := range report.Warnings {
					if w.Rule == validation.RuleUnknownField {
						unknown = append(unknown, w.Path)
					}
				}
				if slices.Contains(fields[kind.String()], name) {
					require.Empty(t, unknown, body)
					require.JSONEq(t, body, export(t, ws, "acme"))
				} else {
					require.Equal(t, []string{kind.Collection() + "[0]." + name}, unknown, body)
				}
				_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
				require.NoError(t, err)
			}
			_, err := pushJSON(t, ws, fmt.Sprintf(`{"customer_key": "acme", %q: [{%q: "k"}]}`, kind.Collection(), kind.KeyField()))
			if kind.Class() == data.ClassAccessGrant {
				require.NoError(t, err)
			} else {
				require.Equal(t, []string{kind.Collection() + "[0].name required"}, faults(t, err))
			}
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
		}
	})
}

// TestDelete_EveryKind_FollowsCascadeRules deletes a resource of each kind with a referrer of each kind for each type of
// reference.
func TestDelete_EveryKind_FollowsCascadeRules(t *testing.T) {
	inSites := []data.Kind{data.KindSpace, data.KindRoom, data.KindUnit, data.KindCommonArea}
	each(t, func(t *testing.T, ws *data.Workspace) {
		deleted := func(refs ...data.Ref) (deletedRefs, detachedRefs []string) {
			report, err := ws.Delete(t.Context(), data.Selection{Resources: refs})
			require.NoError(t, err)
			for _, d := range report.Deleted {
				deletedRefs = append(deletedRefs, data.Ref{Kind: d.Kind, Key: d.Key}.String())
			}
			for _, d := range report.Detached {
				detachedRefs = append(detachedRefs, d.From.String())
			}
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
			require.NoError(t, err)
			return deletedRefs, detachedRefs
		}
		for _, kind := range inSites {
			push(t, ws, "acme", data.Site("s", "S"), data.Space{Kind: kind, Key: "child", Name: "C", ParentSiteKey: "s"})
			deletedRefs, detachedRefs := deleted(data.Ref{Kind: data.KindSite, Key: "s"})
			require.ElementsMatch(t, []string{"site s", kind.String() + " child"}, deletedRefs)
			require.Empty(t, detachedRefs)
		}
		for _, space := range data.Kinds(data.ClassSpace) {
			for _, grant := range data.Kinds(data.ClassAccessGrant) {
				push(t, ws, "acme", data.Space{Kind: space, Key: "s", Name: "S"}, data.Room("other", "O"),
					data.AccessGrant{Kind: grant, Key: "only", Spaces: data.Refs(space, "s")},
					data.AccessGrant{Kind: grant, Key: "two", Spaces: append(data.Refs(space, "s"), data.Refs(data.KindRoom, "other")...)},
					data.StaffMember("m", "M", data.Refs(space, "s")...))
				deletedRefs, detachedRefs := deleted(data.Ref{Kind: space, Key: "s"})
				require.ElementsMatch(t, []string{space.String() + " s", grant.String() + " only"}, deletedRefs)
				require.ElementsMatch(t, []string{grant.String() + " two", "staff_member m"}, detachedRefs, "staff members remain without a space")
			}
		}
		for _, user := range data.Kinds(data.ClassUserIdentity) {
			for _, grant := range data.Kinds(data.ClassAccessGrant) {
				alias := user
				if user == data.KindStaffMember { // no field has this alias, so that the class is used
					alias = data.KindUserIdentity
				}
				push(t, ws, "acme", data.UserIdentity{Kind: user, Key: "u", Name: "U"}, data.AccessGrant{Kind: grant, Key: "g", User: data.Ref{Kind: alias, Key: "u"}})
				deletedRefs, detachedRefs := deleted(data.Ref{Kind: user, Key: "u"})
				require.ElementsMatch(t, []string{user.String() + " u", grant.String() + " g"}, deletedRefs)
				require.Empty(t, detachedRefs)
			}
		}
		push(t, ws, "acme", data.Room("1", "One"), data.StaffMember("m", "M", data.Refs(data.KindRoom, "1")...))
		deletedRefs, detachedRefs := deleted(data.Ref{Kind: data.KindRoom, Key: "1"}, data.Ref{Kind: data.KindUnit, Key: "1"})
		require.Equal(t, []string{"room 1"}, deletedRefs, "a resource under two aliases is deleted once")
		require.Equal(t, []string{"staff_member m"}, detachedRefs)
	})
}

func TestCustomerCounts_EveryOperation_AreUpdated(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		check := func() {
			d, err := ws.Export(t.Context(), "acme")
			require.NoError(t, err)
			want := map[data.Kind]int{}
			for _, s := range d.Spaces {
				want[s.Kind]++
			}
			for _, u := range d.UserIdentities {
				want[u.Kind]++
			}
			for _, g := range d.AccessGrants {
				want[g.Kind]++
			}
			customer, err := ws.Customer(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, want, customer.Counts)
		}
		_, err := pushJSON(t, ws, estate)
		require.NoError(t, err)
		check()
		for _, body := range []string{`{"site_keys": ["lisbon"]}`, `{"guest_keys": ["bob"]}`, `{"unit_keys": ["u"], "site_keys": ["porto"]}`} {
			_, err := ws.Delete(t.Context(), selection(t, body))
			require.NoError(t, err)
			check()
		}
		_, err = ws.Sync(t.Context(), decode(t, `{"customer_key": "acme", "rooms": [{"room_key": "9", "name": "Nine"}]}`))
		require.NoError(t, err)
		check()
	})
}

func TestPush_Replace_KeepsIDAndCreationTime(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One").In("s"))
		before, err := ws.Space(t.Context(), "1")
		require.NoError(t, err)
		report, err := ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("1", "New")}}, data.PushOptions{Replace: true})
		require.NoError(t, err)
		require.Equal(t, before.Meta.ID, report.Resources[0].ID)
		after, err := ws.Space(t.Context(), "1")
		require.NoError(t, err)
		require.Equal(t, before.Meta.ID, after.Meta.ID)
		require.Equal(t, before.Meta.CreatedAt, after.Meta.CreatedAt)
		require.True(t, after.Meta.UpdatedAt.After(before.Meta.UpdatedAt))
	})
}

func TestDelete_Detached_UpdatesReferrer(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"), data.StaffMember("m", "M", data.Refs(data.KindRoom, "1")...))
		before, err := ws.UserIdentity(t.Context(), "m")
		require.NoError(t, err)
		_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "1")})
		require.NoError(t, err)
		after, err := ws.UserIdentity(t.Context(), "m")
		require.NoError(t, err)
		require.True(t, after.Meta.UpdatedAt.After(before.Meta.UpdatedAt))
		require.Equal(t, before.Meta.ID, after.Meta.ID)
	})
}

func TestList_OneKind_ReturnsPagesOfIt(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		var rooms []data.Resource
		for i := range 30 {
			rooms = append(rooms, data.Room(fmt.Sprintf("%02d", i), "Room"))
		}
		push(t, ws, "acme", rooms...)
		for _, limit := range []int{1, 7, 29, 30, 31} {
			keys := all(t, data.Query{CustomerKey: "acme", Limit: limit}, func(q data.Query) (data.Page[data.Space], error) { return ws.Spaces(t.Context(), q) })
			require.Len(t, keys, 30)
			require.True(t, slices.IsSorted(keys))
		}
	})
}

func TestPush_EmptyMetadataString_RemovesKey(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		stay := func(m data.CustomMetadata) data.AccessGrant {
			return data.AccessGrant{Kind: data.KindReservation, Key: "r", CustomMetadata: m}
		}
		push(t, ws, "acme", stay(data.CustomMetadata{"a": "1", "b": "2", "c": true}))
		push(t, ws, "acme", stay(data.CustomMetadata{"a": "", "b": nil}))
		got, err := ws.AccessGrant(t.Context(), "r")
		require.NoError(t, err)
		require.Equal(t, data.CustomMetadata{"c": true}, got.CustomMetadata)
	})
}

func TestPush_Input_IsNotModified(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		spaces := []data.Ref{{Kind: data.KindUnit, Key: "u"}, {Kind: data.KindRoom, Key: "r"}, {Kind: data.KindRoom, Key: "r"}}
		metadata := data.CustomMetadata{"a": "", "b": true}
		place := &data.Geolocation{Latitude: 1, Longitude: 2}
		d := data.CustomerData{CustomerKey: "acme",
			Spaces:       []data.Space{{Kind: data.KindSpace, Key: "s", Name: "S", Geolocation: place}},
			AccessGrants: []data.AccessGrant{{Kind: data.KindReservation, Key: "r", Spaces: spaces, CustomMetadata: metadata}}}
		wantSpaces, wantMetadata := slices.Clone(spaces), maps.Clone(metadata)
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, wantSpaces, spaces)
		require.Equal(t, wantMetadata, metadata)
		grant, err := ws.AccessGrant(t.Context(), "r")
		require.NoError(t, err)
		require.Equal(t, []data.Ref{{Kind: data.KindRoom, Key: "r"}, {Kind: data.KindUnit, Key: "u"}}, grant.Spaces, "a list contains each key once")
		require.Equal(t, data.CustomMetadata{"b": true}, grant.CustomMetadata)
	})
}

func TestPlanDelete_Warnings_EqualThoseOfDelete(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		sel := selection(t, `{"room_keys": ["1", "2", "2"], "spaceship_keys": ["1"]}`)
		plan, err := ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, []string{"spaceship_keys unknown_field"}, pathsAndRules(plan.Warnings))
		require.Equal(t, data.Refs(data.KindRoom, "2"), plan.NotFound, "once")
		report, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, plan, report)
	})
}

func TestPush_StrictAndSkipInvalid_AreCombined(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := decode(t, `{"customer_key": "acme",
			"guests": [{"guest_key": "bad", "name": "Bad", "email_address": "no address"}, {"guest_key": "good", "name": "Good"}],
			"sites": [{"site_key": "s", "name": "S", "colour": "red"}],
			"rooms": [{"room_key": "1", "name": "One", "parent_site_key": "s"}, {"room_key": "2", "name": "Two"}],
			"reservations": [
				{"reservation_key": "of bad", "guest_key": "bad", "room_keys": ["2"]},
				{"reservation_key": "of room 1", "guest_key": "good", "room_keys": ["1"]},
				{"reservation_key": "sound", "guest_key": "good", "room_keys": ["2"]}]}`)
		report, err := ws.PushWith(t.Context(), d, data.PushOptions{Strict: true, SkipInvalid: true})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{
			"guests[0].email_address email_address", "sites[0].colour unknown_field", "rooms[0].parent_site_key not_there_yet",
			"reservations[0].guest_key not_there_yet", "reservations[1].room_keys[0] not_there_yet",
		}, pathsAndRules(report.Skipped))
		require.Empty(t, report.Warnings)
		require.JSONEq(t, `{"customer_key": "acme", "rooms": [{"room_key": "2", "name": "Two"}], "guests": [{"guest_key": "good", "name": "Good"}],
			"reservations": [{"reservation_key": "sound", "guest_key": "good", "room_keys": ["2"]}]}`, export(t, ws, "acme"))
	})
}

func TestDecode_NameWithDot_IsNotFieldOfObject(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		report, err := pushJSON(t, ws, `{"customer_key": "acme", "spaces": [{"space_key": "s", "name": "S", "customer_data.address": "flat"}]}`)
		require.NoError(t, err)
		require.Equal(t, []string{"spaces[0].customer_data.address unknown_field"}, pathsAndRules(report.Warnings))
		space, err := ws.Space(t.Context(), "s")
		require.NoError(t, err)
		require.Empty(t, space.Details)
	})
}

func TestMarshalJSON_ClearedFields_AreNull(t *testing.T) {
	t.Parallel()
	const body = `{"customer_key": "acme", "spaces": [{"space_key": "s", "name": null, "duration_minutes": null, "geolocation": null,
		"customer_data": {"time_zone": null, "default_checkin_time": null, "default_checkout_time": null, "address": null}}]}`
	for _, input := range []string{body, `{"customer_key": "acme", "spaces": [{"space_key": "s", "name": "", "duration_minutes": null, "geolocation": null, "customer_data": null}]}`} {
		b, err := json.Marshal(decode(t, input))
		require.NoError(t, err)
		require.JSONEq(t, body, string(b))
	}
}

func TestPush_ValuesAtLimits_AreAccepted(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		many := func(n int) data.AccessGrant { return data.Booking("b", data.Ref{}, manyRefs(data.KindRoom, n)...) }
		push(t, ws, "acme", many(1000))
		_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: "acme", AccessGrants: []data.AccessGrant{many(1001)}})
		require.Equal(t, []string{"bookings[0] too_many"}, faults(t, err))
		for code, warned := range map[string]bool{"123": true, "1234": false, "12345678": false, "123456789": false, "1234567890": true, "12a4": true, "１２３４": true} {
			report := push(t, ws, "acme", data.Room("0", "R"), data.AccessGrant{Kind: data.KindBooking, Key: "code", PreferredCode: code, Spaces: data.Refs(data.KindRoom, "0")})
			require.Equal(t, warned, len(report.Warnings) == 1, code)
		}
		for clock, good := range map[string]bool{"00:00": true, "23:59": true, "23:59:59": true, "24:00": false, "12:60": false, "1:00": false, "12:00:60": false, "12": false} {
			_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{
				{Kind: data.KindSpace, Key: "s", Name: "S", Details: data.SpaceDetails{DefaultCheckinTime: clock}}}})
			require.Equal(t, good, err == nil, clock)
		}
		for zone, good := range map[string]bool{"UTC": true, "Etc/GMT+5": true, "America/Argentina/Buenos_Aires": true, "America/Port-au-Prince": true,
			"Local": false, "localtime": false, "posix/UTC": false, "right/UTC": false, "../UTC": false, "Mars/Olympus": false, "utc": false} {
			_, err := ws.Push(t.Context(), data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{
				{Kind: data.KindSpace, Key: "s", Name: "S", Details: data.SpaceDetails{TimeZone: zone}}}})
			require.Equal(t, good, err == nil, zone)
		}
	})
}

func TestPush_RandRepeatsBytes_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		same := data.Open(ws.DB().Store(), data.Options{Rand: repeatingRand{}}).Workspace(ws.ID())
		push(t, same, "a", data.Room("1", "One"))
		_, err := same.Push(t.Context(), data.CustomerData{CustomerKey: "b"})
		require.ErrorContains(t, err, "id of an existing customer")
		_, err = ws.Customer(t.Context(), "b")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
	})
}

type repeatingRand struct{}

func (repeatingRand) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i + 1)
	}
	return len(p), nil
}

// TestPush_DryRun_DoesNotReadRand uses a source of randomness that is not safe for concurrent use.
func TestPush_DryRun_DoesNotReadRand(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		unsafe := data.Open(ws.DB().Store(), data.Options{Rand: rand.New(rand.NewSource(1))}).Workspace(ws.ID())
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := unsafe.PushWith(t.Context(), block("a", "a", 3), data.PushOptions{DryRun: true})
				errs <- err
			}()
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
	})
}

// TestDelete_ManyFaults_ListsTenThousand would take minutes if validation compared each fault with all others.
func TestDelete_ManyFaults_ListsTenThousand(t *testing.T) {
	eachIfFull(t, func(t *testing.T, ws *data.Workspace) {
		_, err := ws.Delete(t.Context(), data.Selection{Resources: make([]data.Ref, 20_000)})
		require.Len(t, faults(t, err), 10_000)
		sel := selection(t, `{"room_keys": [`+strings.Repeat(`"",`, 20_000)+`""]}`)
		_, err = ws.Delete(t.Context(), sel)
		require.Len(t, faults(t, err), 10_000)
	})
}

func TestConflictError_Text_NamesBothOwners(t *testing.T) {
	t.Parallel()
	conflict := &data.ConflictError{Key: "1", Wanted: data.Owner{CustomerKey: "a", Kind: data.KindRoom}, Holder: data.Owner{CustomerKey: "b", Kind: data.KindUnit}}
	require.EqualError(t, conflict, `data: key "1" cannot be the key of a room of customer "a" because it is the key of a unit of customer "b"`)
	require.ErrorIs(t, conflict, data.ErrKeyConflict)
	require.ErrorIs(t, conflict, validation.ErrInvalid)
}
