package portal_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

const entrance = "Front door"

var (
	r1  = ref(data.KindReservation, "r1")
	r2  = ref(data.KindReservation, "r2")
	sam = ref(data.KindStaffMember, "sam")
)

// withCodes runs a test on a hotel with access codes on its locks: one lock on each of the rooms 101 and 102 in Lisbon and 201 in Porto,
// and a shared entrance of Lisbon. The stay r1 of Ada is in 101 and has the preferred code 4711, r2 of Bob began earlier in 102 and 201,
// and Sam works in 101. The test runs in a bubble; settle waits until the locks are programmed.
func withCodes(t *testing.T, test func(t *testing.T, f *fixture, settle func())) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, memory.New())
		now := f.clock.Now().Truncate(time.Second)
		d := data.CustomerData{CustomerKey: "My Company"}
		stay := func(key, guest string, began time.Duration, rooms ...string) data.AccessGrant {
			return data.Reservation(key, ref(data.KindGuest, guest), data.Refs(data.KindRoom, rooms...)...).During(now.Add(-began), now.Add(24*time.Hour))
		}
		first := stay("r1", "ada", time.Hour, "101")
		first.PreferredCode = "4711"
		d.Add(
			data.Site("lisbon", "Lisbon"), data.Site("porto", "Porto"),
			data.Room("101", "Room 101").In("lisbon"), data.Room("102", "Room 102").In("lisbon"), data.Room("201", "Room 201").In("porto"),
			data.Guest("ada", "Ada"), data.Guest("bob", "Bob"), data.StaffMember("sam", "Sam", data.Refs(data.KindRoom, "101")...),
			first, stay("r2", "bob", 2*time.Hour, "102", "201"),
		)
		_, err := f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		at := map[string]access.Mapping{
			"Lock 101": {SpaceKey: "101"}, "Lock 102": {SpaceKey: "102"}, "Lock 201": {SpaceKey: "201"}, entrance: {SpaceKey: "lisbon", Shared: true},
		}
		for name := range at {
			lock := simulated.Lock(name, name)
			f.world.AddDevice("anna", lock)
		}
		scope := f.scope("My Company")
		require.NoError(t, scope.SetRules(t.Context(), access.Rules{StaffCodes: device.Known(true)}))
		require.NoError(t, drop(scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login(password)})))
		defer runAccess(t, f.access)()
		settle := func() {
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		settle()
		devices, err := scope.Devices(t.Context(), access.DeviceQuery{})
		require.NoError(t, err)
		for _, d := range devices.Items {
			require.NoError(t, drop(scope.Map(t.Context(), access.DeviceMapping{DeviceID: d.ID, Mapping: at[d.Name]})))
		}
		settle()
		test(t, f, settle)
	})
}

// visit returns a session of a portal with a configuration.
func (f *fixture) visit(t *testing.T, c portal.Config) *portal.Session {
	t.Helper()
	_, session := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
	return session
}

// doors returns the names of the locks of codes.
func doors(codes []portal.AccessCode) (names []string) {
	for _, c := range codes {
		names = append(names, c.Lock.Name)
	}
	return names
}

func spaceCodes(t *testing.T, s *portal.Session, key string, limit int) portal.Page[portal.AccessCode] {
	t.Helper()
	page, err := viewed(t.Context(), one(s), func(v *portal.View) (portal.Page[portal.AccessCode], error) {
		return v.SpaceCodes(t.Context(), key, limit)
	})
	require.NoError(t, err)
	return page
}

func TestAccessCodes_OfAStay_ShowsEachDoor(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, _ func()) {
		s := f.visit(t, portal.Config{})
		codes, err := codesOf(t.Context(), s, r1)
		require.NoError(t, err)
		require.Equal(t, []string{entrance, "Lock 101"}, doors(codes.Items))
		require.Equal(t, "4711", codes.PIN.Reveal())
		require.True(t, codes.Issued)
		for _, c := range codes.Items {
			require.Equal(t, access.CodeSet, c.Status)
			require.Equal(t, codes.PIN, c.PIN)
			require.Equal(t, c.Lock.ID, c.DeviceID)
			space, ok := codes.Related.Space(c.Lock.Mappings[0].SpaceKey)
			require.True(t, ok)
			require.NotEmpty(t, space.Name)
		}
		staff, err := codesOf(t.Context(), s, sam)
		require.NoError(t, err)
		require.Equal(t, []string{entrance, "Lock 101"}, doors(staff.Items))
		require.Len(t, staff.PIN.Reveal(), 4)

		for _, absent := range []data.Ref{ref(data.KindReservation, "absent"), ref(data.KindGuest, "ada"), ref(data.KindRoom, "101"), {}} {
			_, err = codesOf(t.Context(), s, absent)
			require.ErrorIs(t, err, data.ErrResourceNotFound, absent)
		}
	})
}

func TestSpaceCodes_OfARoom_ListsThemByStart(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, _ func()) {
		s := f.visit(t, portal.Config{})
		page := spaceCodes(t, s, "101", 10)
		require.Equal(t, []data.Ref{{Kind: data.KindUserIdentity, Key: "sam"}, {Kind: data.KindAccessGrant, Key: "r1"}},
			[]data.Ref{page.Items[0].Subject, page.Items[1].Subject})
		require.Equal(t, 2, page.Total)
		g, ok := page.Related.AccessGrant("r1")
		require.True(t, ok)
		guest, ok := page.Related.UserIdentity(g.User.Key)
		require.True(t, ok)
		require.Equal(t, "Ada", guest.Name)

		page = spaceCodes(t, s, "lisbon", 1)
		require.Equal(t, 3, page.Total, "of the entrance")
		require.Len(t, page.Items, 1)
		require.False(t, page.Stopped)

		noStaff := f.visit(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{ExcludeStaffManagement: true}}})
		require.Len(t, spaceCodes(t, noStaff, "101", 10).Items, 1)
		_, err := viewed(t.Context(), one(s), func(v *portal.View) (portal.Page[portal.AccessCode], error) {
			return v.SpaceCodes(t.Context(), "absent", 1)
		})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// TestCodesOfGrants_ManyPortalsAndAccessGrants_ReturnsThoseThatArePassed has many edges that are not those of codes.
func TestCodesOfGrants_ManyPortalsAndAccessGrants_ReturnsThoseThatArePassed(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, settle func()) {
		for range 40 {
			for _, key := range []string{"r1", "r2"} {
				require.NoError(t, drop(f.portals.CreateDeepLink(t.Context(), f.ws, "My Company", key)))
			}
		}
		now := f.clock.Now()
		var more data.CustomerData
		more.CustomerKey = "My Company"
		for i := range 60 {
			more.Add(data.Reservation(fmt.Sprintf("r1-%02d", i), ref(data.KindGuest, "ada"), data.Refs(data.KindRoom, "101")...).During(now.Add(48*time.Hour), now.Add(72*time.Hour)))
		}
		require.NoError(t, drop(f.ws.Push(t.Context(), more)))
		settle()
		s := f.visit(t, portal.Config{})
		of := func(s *portal.Session, keys ...string) map[string][]portal.AccessCode {
			codes, err := viewed(t.Context(), one(s), func(v *portal.View) (map[string][]portal.AccessCode, error) {
				return v.CodesOfGrants(t.Context(), keys)
			})
			require.NoError(t, err)
			return codes
		}
		for _, keys := range [][]string{{"r1"}, {"r2"}, {"r1", "r2"}, {"r2", "r1-30", "r1", "absent", "r1-59", "r1"}} {
			got := of(s, keys...)
			for _, key := range keys {
				want, err := codesOf(t.Context(), s, ref(data.KindReservation, key))
				if key == "absent" {
					require.ErrorIs(t, err, data.ErrResourceNotFound)
					require.NotContains(t, got, key)
					continue
				}
				require.NoError(t, err)
				require.NotEmpty(t, got[key])
				require.Equal(t, want.Items, got[key], key)
			}
			require.NotContains(t, got, "r1-31")
		}
		link := f.visit(t, portal.Config{DeepLink: r1})
		require.Len(t, of(link, "r1", "r2", "r1-30"), 1)
		require.Empty(t, of(f.visit(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}}), "r1", "r2"))
	})
}

// TestAccessCodes_PortalThatShowsOnlySomeDoors_OmitsTheOthers also checks that the name of an entrance is all that a portal shows of it
// if it does not show the site.
func TestAccessCodes_PortalThatShowsOnlySomeDoors_OmitsTheOthers(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, _ func()) {
		link := f.visit(t, portal.Config{DeepLink: r1})
		codes, err := codesOf(t.Context(), link, r1)
		require.NoError(t, err)
		require.Equal(t, []string{"Lock 101", entrance}, doors(codes.Items))
		require.Equal(t, access.Device{Name: entrance, AccountStatus: access.AccountConnected, State: device.State{Online: device.Known(true)}}, codes.Items[1].Lock)
		require.Equal(t, []uuid.UUID{{}, {}}, []uuid.UUID{codes.Items[1].DeviceID, codes.Items[1].AccountID})
		require.Equal(t, "4711", codes.PIN.Reveal())
		_, err = codesOf(t.Context(), link, r2)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		require.ErrorIs(t, drop(link.ReissuePIN(t.Context(), r2, "0123456789abcdef")), data.ErrResourceNotFound)
		require.Len(t, spaceCodes(t, link, "101", 10).Items, 1, "not that of Sam")

		porto := f.visit(t, portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "porto")})
		codes, err = codesOf(t.Context(), porto, r2)
		require.NoError(t, err)
		require.Equal(t, []string{"Lock 201"}, doors(codes.Items), "neither the lock of 102 nor the entrance of Lisbon")
		_, err = codesOf(t.Context(), porto, r1)
		require.ErrorIs(t, err, data.ErrResourceNotFound)

		filtered := f.visit(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		_, err = codesOf(t.Context(), filtered, r1)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		require.Len(t, spaceCodes(t, filtered, "101", 10).Items, 1, "that of Sam")
	})
}

// TestAccessCodes_NoLockAnyMore_ShowNoPIN has a stay whose PIN was chosen for a lock that it does not open any more.
func TestAccessCodes_NoLockAnyMore_ShowNoPIN(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, settle func()) {
		s := f.visit(t, portal.Config{})
		codes, err := codesOf(t.Context(), s, r1)
		require.NoError(t, err)
		require.Equal(t, "4711", codes.PIN.Reveal())
		d := data.CustomerData{CustomerKey: "My Company"}
		d.Add(data.PlainSpace("shed", "Shed"), data.AccessGrant{Kind: data.KindReservation, Key: "r1", Spaces: data.Refs(data.KindSpace, "shed"), Clear: []string{"room_keys"}})
		_, err = f.ws.Push(t.Context(), d)
		require.NoError(t, err)
		settle()
		codes, err = codesOf(t.Context(), s, r1)
		require.NoError(t, err)
		require.Empty(t, codes.Items)
		require.True(t, codes.PIN.IsZero())
	})
}

// TestAccessCodes_PINs_OnlyWhereTheTableAllows also checks the preferred code, which is the PIN.
func TestAccessCodes_PINs_OnlyWhereTheTableAllows(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, _ func()) {
		noDetails := portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}
		for _, c := range []struct {
			config portal.Config
			shown  bool
		}{{portal.Config{}, true}, {portal.Config{ReadOnly: true}, false}, {portal.Config{Features: noDetails}, false}, {portal.Config{ReadOnly: true, Features: noDetails}, false}} {
			s := f.visit(t, c.config)
			require.Equal(t, c.shown, s.Can(portal.ActionReadPINs) == nil)
			for _, subject := range []data.Ref{r1, sam} {
				codes, err := codesOf(t.Context(), s, subject)
				require.NoError(t, err)
				require.Len(t, codes.Items, 2)
				require.Equal(t, c.shown, !codes.PIN.IsZero())
				for _, code := range codes.Items {
					require.Equal(t, c.shown, !code.PIN.IsZero())
					require.Equal(t, access.CodeSet, code.Status)
					require.Equal(t, c.config.Features.Manage.ExcludeReservationTechnicalDetails, code.Slot == 0 && code.ID == uuid.Nil)
				}
			}
			for _, code := range spaceCodes(t, s, "lisbon", 10).Items {
				require.Equal(t, c.shown, !code.PIN.IsZero())
			}
			g, _, err := one(s).AccessGrant(t.Context(), "r1")
			require.NoError(t, err)
			require.Equal(t, c.shown, g.PreferredCode != "")
			found, err := one(s).AccessGrants(t.Context(), data.Query{Text: "4711"})
			require.NoError(t, err)
			require.Equal(t, c.shown, len(found.Items) == 1)
			if !c.shown {
				require.ErrorIs(t, drop(s.ReissuePIN(t.Context(), r1, "0123456789abcdef")), portal.ErrRefused)
			}
		}
	})
}

func TestReissuePIN_Session_ReplacesThePIN(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, settle func()) {
		s := f.visit(t, portal.Config{})
		for _, subject := range []data.Ref{r1, sam} {
			before, err := codesOf(t.Context(), s, subject)
			require.NoError(t, err)
			pin, err := s.ReissuePIN(t.Context(), subject, "0123456789abcdef")
			require.NoError(t, err)
			require.NotEqual(t, before.PIN, pin)
			after, err := codesOf(t.Context(), s, subject)
			require.NoError(t, err)
			require.Equal(t, pin, after.PIN)
			for _, c := range after.Items {
				shown := pin // the service has replaced it already
				if c.Replacing {
					shown = before.PIN
				}
				require.Equal(t, shown, c.PIN)
			}
			settle()
			after, err = codesOf(t.Context(), s, subject)
			require.NoError(t, err)
			for _, c := range after.Items {
				require.Equal(t, []any{pin, access.CodeSet, false}, []any{c.PIN, c.Status, c.Replacing})
			}
			again, err := s.ReissuePIN(t.Context(), subject, "0123456789abcdef")
			require.NoError(t, err)
			require.Equal(t, pin, again, "the same request")
			var invalid *validation.Error
			require.ErrorAs(t, drop(s.ReissuePIN(t.Context(), subject, "short")), &invalid)
			require.Equal(t, "token", invalid.Faults[0].Path)
		}
	})
}

// TestAccessCodes_PrintedOrEncoded_ContainNoPIN covers what a program could log.
func TestAccessCodes_PrintedOrEncoded_ContainNoPIN(t *testing.T) {
	withCodes(t, func(t *testing.T, f *fixture, _ func()) {
		codes, err := codesOf(t.Context(), f.visit(t, portal.Config{}), r1)
		require.NoError(t, err)
		codes.Related = portal.Related{} // contains no code, but keys such as "101"
		for i := range codes.Items {
			c := &codes.Items[i]
			require.Equal(t, "4711", c.PIN.Reveal())
			c.Lock, c.ID, c.AccountID, c.DeviceID = access.Device{}, uuid.Nil, uuid.Nil, uuid.Nil
			c.CreatedAt, c.UpdatedAt = time.Time{}, time.Time{}
		}
		encoded, err := json.Marshal(codes)
		require.NoError(t, err)
		for _, text := range []string{string(encoded), fmt.Sprintf("%v %+v %#v", codes, codes, codes)} {
			require.NotContains(t, text, "4711")
		}
	})
}

func TestAutomationRules_SetByAPortal_OverrideThoseOfTheWorkspace(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		allow := func(codes, climates bool) *portal.Session {
			return f.session(t, portal.Config{Features: portal.Features{Configure: portal.ConfigureFeature{
				AllowAccessAutomationRuleCustomization: codes, AllowClimateAutomationRuleCustomization: climates,
			}}})
		}
		s := allow(true, false)
		read := func() portal.AutomationRules {
			rules, err := viewed(t.Context(), one(s), func(v *portal.View) (portal.AutomationRules, error) { return v.AutomationRules(t.Context()) })
			require.NoError(t, err)
			return rules
		}
		require.NoError(t, f.access.Workspace(workspaceID).SetRules(t.Context(), access.Rules{LeadMinutes: device.Known(15), GraceMinutes: device.Known(30)}))
		require.Equal(t, access.Rules{}, read().Own)
		mine := access.Rules{LeadMinutes: device.Known(60), StaffCodes: device.Known(true)}
		require.NoError(t, s.SetAutomationRules(t.Context(), access.Rules{}, mine))
		got := read()
		require.Equal(t, mine, got.Own)
		require.Equal(t, []device.Optional[int]{device.Known(15), device.Known(30), device.Known(60)},
			[]device.Optional[int]{got.Workspace.LeadMinutes, got.Workspace.GraceMinutes, got.Workspace.WriteMinutes})
		require.Equal(t, []device.Optional[int]{device.Known(60), device.Known(30), device.Known(60)},
			[]device.Optional[int]{got.Effective.LeadMinutes, got.Effective.GraceMinutes, got.Effective.WriteMinutes})
		require.True(t, got.Effective.StaffCodes.Is(true) && got.Workspace.StaffCodes.Is(false))

		require.ErrorIs(t, s.SetAutomationRules(t.Context(), access.Rules{}, access.Rules{}), portal.ErrChanged)
		require.ErrorIs(t, s.SetAutomationRules(t.Context(), mine, access.Rules{LeadMinutes: device.Known(-1)}), validation.ErrInvalid)
		warmer := mine
		warmer.Occupied = access.ClimateRule{PresetKey: device.Known("warm")}
		requireRefused(t, s.SetAutomationRules(t.Context(), mine, warmer), "feature", "the rules for climates")
		require.Equal(t, got, read())
		require.NoError(t, allow(false, true).SetAutomationRules(t.Context(), mine, warmer))
		require.Equal(t, warmer, read().Own)
		requireRefused(t, allow(false, true).SetAutomationRules(t.Context(), warmer, access.Rules{Occupied: warmer.Occupied}), "feature", "the rules for codes")
	})
}
