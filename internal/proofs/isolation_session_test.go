package proofs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// ownCalls returns calls of every method of a session and of its View that takes arguments, with resources of the
// attacker, so that each call has an effect. A call without WriteOptions gets the zero ones; see callMethod.
func ownCalls() map[string][][]any {
	key := func(kind data.Kind) string { return keyOf(attacker, kind) }
	ref := func(kind data.Kind) data.Ref { return refOf(attacker, kind) }
	room, site, guest := ref(data.KindRoom), ref(data.KindSite), ref(data.KindGuest)
	return map[string][][]any{
		"Can":            {{portal.ActionReadSpaces}},
		"Appearance":     {{""}},
		"Space":          {{room.Key}},
		"Spaces":         {{data.Query{}}, {data.Query{Limit: 3}}},
		"UserIdentity":   {{guest.Key}},
		"UserIdentities": {{data.Query{}}},
		"StaffMember":    {{key(data.KindStaffMember)}},
		"StaffMembers":   {{data.Query{}}},
		"AccessGrant":    {{key(data.KindReservation)}},
		"AccessGrants":   {{data.Query{}}, {data.Query{SpaceKey: room.Key}}},
		"AccessGrantOutlines": {
			{data.Query{}}, {data.Query{SpaceKeys: []string{room.Key}}},
		},
		"AccessGrantsByPlace": {
			{data.Query{}, anyTime}, {data.Query{SpaceKey: room.Key}, anyTime},
		},
		"History": {{key(data.KindReservation), 0}},
		"CreateAccessGrant": {
			{portal.AccessGrantRequest{Grant: data.AccessGrant{User: guest, Spaces: []data.Ref{room}}}},
			{portal.AccessGrantRequest{Grant: data.AccessGrant{Spaces: []data.Ref{room}}, NewUser: &data.UserIdentity{Name: "New"}}},
		},
		"EditAccessGrant":       {{data.AccessGrant{Key: key(data.KindReservation), Name: "Edited"}}},
		"PlanDelete":            {{ref(data.KindBooking)}, {ref(data.KindStaffMember)}, {room}},
		"CancelAccessGrant":     {{key(data.KindBooking)}},
		"UndoCancelAccessGrant": {{key(data.KindBooking)}},
		"UndoEditAccessGrant": {{
			data.AccessGrant{Key: key(data.KindReservation), Spaces: []data.Ref{room}}, data.AccessGrant{Key: key(data.KindReservation), Meta: data.Meta{UpdatedAt: time.Now()}},
		}},
		"UndoRemoveStaffMember": {{key(data.KindStaffMember)}},
		"AddStaffMember":        {{data.UserIdentity{Name: "New", Spaces: []data.Ref{room}}}},
		"EditStaffMember":       {{data.UserIdentity{Key: key(data.KindStaffMember), Name: "Edited"}}},
		"AssignStaffMember":     {{data.UserIdentity{Key: key(data.KindStaffMember), Spaces: []data.Ref{ref(data.KindUnit)}}}},
		"EditUserIdentity":      {{data.UserIdentity{Key: guest.Key, Name: "Edited"}}},
		"RemoveStaffMember":     {{key(data.KindStaffMember)}},
		"CreateSpace":           {{data.Space{Kind: data.KindRoom, Name: "New", ParentSiteKey: site.Key}}, {data.Space{Kind: data.KindPropertyListing, Name: "New"}}},
		"RenameSpace":           {{room.Key, "Renamed"}, {room.Key, "Renamed", portal.WriteOptions{IfUnchanged: &data.Meta{Revision: 1}}}},
		"MoveSpace":             {{key(data.KindSpace), site.Key}},
		"Devices":               {{portal.DeviceQuery{SpaceKeys: []string{room.Key}}}},
		"DeviceAttention":       {{site.Key, 10}},
		"Device":                {{deviceOf(attacker)}},
		"DeviceActivity":        {{deviceOf(attacker), 0, ""}},
		"ActionAttempt":         {{uuid.UUID{1}}},
		"WaitForAttempt":        {{uuid.UUID{1}, time.Nanosecond}},
		"ControlDevice":         {{deviceOf(attacker), device.Command{Kind: device.Unlock}, "0123456789abcdef"}},
		"UnlockDoor":            {{deviceOf(attacker), "0123456789abcdef"}},
		"AccessCodes":           {{ref(data.KindReservation)}, {ref(data.KindStaffMember)}},
		"CodesOfGrants":         {{[]string{key(data.KindReservation)}}},
		"SpaceCodes":            {{room.Key, 10}},
		"ReissuePIN":            {{ref(data.KindReservation), "0123456789abcdef"}},
		"GuestLink":             {{key(data.KindReservation)}},
		"ShareStay":             {{key(data.KindReservation)}},
		"ConnectedAccount":      {{accountOf(attacker)}},
		"MappableDevice":        {{deviceOf(attacker)}},
		"Connect":               {{stepOf(attacker)}, {access.ConnectStep{Provider: simulated.Key, Reconnect: accountOf(attacker)}}},
		"DeleteAccount":         {{accountOf(attacker)}},
		"MapDevices":            {{access.DeviceMapping{DeviceID: deviceOf(attacker), Mapping: access.Mapping{SpaceKey: room.Key}}}},
		"UnmapDevices":          {{access.DeviceMapping{DeviceID: deviceOf(attacker), Mapping: access.Mapping{SpaceKey: room.Key}}}},
		"DeleteSpace": {{room.Key}, {room.Key, portal.WriteOptions{IfUnchanged: &data.Meta{Revision: 1}, IfPlanned: &data.DeleteReport{
			Deleted: []data.DeletedResource{{Kind: data.KindRoom, Key: room.Key}}, Detached: []data.Detached{{From: guest, To: room}},
		}}}},
	}
}

// timedID matches the part of the id of an action attempt that depends on the attempts before it.
var timedID = regexp.MustCompile(`019ced13-7000-7[0-9a-f]{3}`)

// anyTime accepts every access grant.
func anyTime(data.AccessGrant, portal.Place) bool { return true }

// Every identifier of another customer, in the same workspace and in another one, is passed in every place of the
// arguments of every method. The result must be the same as for an identifier that does not exist, and nothing of the
// other customers may change.
func TestIsolation_SessionWithForeignIdentifiers_FindsNothing(t *testing.T) {
	t.Parallel()
	calls := ownCalls()
	for _, of := range []reflect.Type{reflect.TypeFor[*portal.Session](), reflect.TypeFor[*portal.View]()} {
		for m := range of.Methods() {
			takes := m.Type.NumIn() - 1
			if takes > 0 && m.Type.In(1) == reflect.TypeFor[context.Context]() {
				takes--
			}
			// View calls its argument with the View whose methods are called. The answers of ResumeConnect are for a driver, and
			// automation rules name no resource.
			isCalled := takes > 0 && !slices.Contains(strings.Fields("Format View ResumeConnect SetAutomationRules"), m.Name)
			require.Equal(t, isCalled, calls[m.Name] != nil, m.Name)
		}
	}
	backends.Each(t, func(t *testing.T, store storage.Store) {
		stride := strideOf(6 * raceSlowness)
		if !strings.HasSuffix(t.Name(), "/memory") {
			stride = 97 * raceSlowness // badger is slower
		}
		trySession(t, newTenants(t, store), stride)
	})
}

// trySession makes one of every stride attempts.
func trySession(t *testing.T, s *tenants, stride int) {
	before := s.exports(t)
	tried, n := 0, rand.IntN(stride)
	for name, cases := range ownCalls() {
		for i := range cases {
			count := countPlaces(ownCalls()[name][i])
			require.Positive(t, count, name)
			for at := range count {
				absent := map[string]string{}
				for _, other := range s.others {
					if n++; n%stride != 0 && !other.always {
						continue
					}
					by, usable := "", true
					do := func(id string) string {
						return s.try(t, name, id, func() (answer string) {
							args := ownCalls()[name][i]
							if by, usable = putAt(args, at, id); !usable {
								return ""
							}
							answer = callSession(t, s.session, name, id, args)
							if name == "ControlDevice" || name == "UnlockDoor" {
								answer = timedID.ReplaceAllString(mask(answer, id), "<time>")
							}
							return answer
						})
					}
					answer := do(other.id)
					if !usable {
						continue
					}
					tried++
					if _, known := absent[other.absent]; !known {
						absent[other.absent] = do(other.absent)
					}
					s.requireSameAnswer(t, name+" "+by, other, answer, absent[other.absent])
				}
			}
		}
	}
	require.Equal(t, before, s.exports(t))
	report, err := data.Open(s.store, data.Options{}).VerifyStore(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Damage)
	t.Logf("%d identifiers, %d attempts", len(s.others), tried)
}

// strideOf returns 1 if PROOFS_ISOLATION is "all", and n otherwise.
func strideOf(otherwise int) int {
	if os.Getenv("PROOFS_ISOLATION") == "all" {
		return 1
	}
	return otherwise
}

// callSession calls a method of a session or of its View and returns its results as text.
func callSession(t *testing.T, s *portal.Session, name, id string, args []any) (answer string) {
	t.Helper()
	if method := reflect.ValueOf(s).MethodByName(name); method.IsValid() {
		return callMethod(t, method, id, args)
	}
	require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
		answer = callMethod(t, reflect.ValueOf(v).MethodByName(name), id, args)
		return nil
	}))
	return answer
}

func callMethod(t *testing.T, method reflect.Value, id string, args []any) string {
	t.Helper()
	var in []reflect.Value
	if method.Type().In(0) == reflect.TypeFor[context.Context]() {
		in = append(in, reflect.ValueOf(t.Context()))
	}
	for _, arg := range args {
		in = append(in, reflect.ValueOf(arg))
	}
	if last := method.Type().NumIn() - 1; len(in) == last && method.Type().In(last) == reflect.TypeFor[portal.WriteOptions]() {
		in = append(in, reflect.ValueOf(portal.WriteOptions{}))
	}
	var out strings.Builder
	for _, v := range method.Call(in) {
		if err, isError := v.Interface().(error); isError {
			fmt.Fprintf(&out, "error %v", err)
			continue
		}
		show(&out, v, id)
	}
	return out.String()
}

// show writes a value like package fmt does, but follows pointers. Entries of maps are sorted after masking the
// identifier.
func show(out *strings.Builder, v reflect.Value, id string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			show(out, v.Elem(), id)
		}
	case reflect.Struct:
		if t, isTime := v.Interface().(time.Time); isTime {
			out.WriteString(t.String())
			return
		}
		out.WriteByte('{')
		for f, field := range v.Fields() {
			if f.IsExported() {
				fmt.Fprintf(out, "%s:", f.Name)
				show(out, field, id)
				out.WriteByte(' ')
			}
		}
		out.WriteByte('}')
	case reflect.Slice:
		out.WriteByte('[')
		for i := range v.Len() {
			show(out, v.Index(i), id)
			out.WriteByte(' ')
		}
		out.WriteByte(']')
	case reflect.Map:
		var entries []string
		for key, value := range v.Seq2() {
			var entry strings.Builder
			show(&entry, key, id)
			entry.WriteByte(':')
			show(&entry, value, id)
			entries = append(entries, mask(entry.String(), id))
		}
		slices.Sort(entries)
		fmt.Fprint(out, entries)
	default:
		fmt.Fprint(out, v)
	}
}
