package portal_test

import (
	"context"
	"errors"
	"reflect"
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
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// excludable lists the features that the matrix excludes, in all combinations.
var excludable = []struct {
	name    string
	exclude func(*portal.Features)
}{
	{"connect", func(f *portal.Features) { f.Connect.Exclude = true }},
	{"organize", func(f *portal.Features) { f.Organize.Exclude = true }},
	{"manage", func(f *portal.Features) { f.Manage.Exclude = true }},
	{"reservations", func(f *portal.Features) { f.Manage.ExcludeReservationManagement = true }},
	{"details", func(f *portal.Features) { f.Manage.ExcludeReservationTechnicalDetails = true }},
	{"staff", func(f *portal.Features) { f.Manage.ExcludeStaffManagement = true }},
	{"configure", func(f *portal.Features) { f.Configure.Exclude = true }},
}

// cell is a call in the matrix, with the conditions under which a portal allows it.
type cell struct {
	method     string
	needs      string // the features that are all necessary; "a|b" means one of both
	writes     bool
	restricted bool // restricted navigation allows it
	deepLink   bool // a deep link to a resource allows it; ofDevice lists the cells that one to a device allows
	call       func(context.Context, *portal.Session) error
}

func ref(kind data.Kind, key string) data.Ref { return data.Ref{Kind: kind, Key: key} }

func drop[T any](_ T, err error) error             { return err }
func dropBoth[T, U any](_ T, _ U, err error) error { return err }

// cells lists the calls of the matrix. The conditions are written from the documentation, and not from the code.
var cells = []cell{
	{"Counts", "", false, true, true, func(ctx context.Context, s *portal.Session) error { return drop(one(s).Counts(ctx)) }},
	{"LandingPage", "", false, true, true, func(ctx context.Context, s *portal.Session) error { return drop(one(s).LandingPage(ctx)) }},
	{"Appearance", "", false, true, true, func(ctx context.Context, s *portal.Session) error { return drop(one(s).Appearance(ctx, "")) }},
	{"Space", "manage|organize", false, true, true, func(ctx context.Context, s *portal.Session) error { return dropBoth(one(s).Space(ctx, "101")) }},
	{"Spaces", "manage|organize", false, true, true, func(ctx context.Context, s *portal.Session) error { return drop(one(s).Spaces(ctx, data.Query{})) }},
	{"UserIdentity", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error { return dropBoth(one(s).UserIdentity(ctx, "ada")) }},
	{"UserIdentities", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).UserIdentities(ctx, data.Query{}))
	}},
	{"StaffMember", "manage staff", false, true, false, func(ctx context.Context, s *portal.Session) error { return dropBoth(one(s).StaffMember(ctx, "sam")) }},
	{"StaffMembers", "manage staff", false, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).StaffMembers(ctx, data.Query{}))
	}},
	{"AccessGrant", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error { return dropBoth(one(s).AccessGrant(ctx, "r1")) }},
	{"AccessGrants", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).AccessGrants(ctx, data.Query{}))
	}},
	{"AccessGrantOutlines", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).AccessGrantOutlines(ctx, data.Query{}))
	}},
	{"AccessGrantsByPlace", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).AccessGrantsByPlace(ctx, data.Query{}, func(data.AccessGrant, portal.Place) bool { return true }))
	}},
	{"History", "manage reservations details", false, true, true, func(ctx context.Context, s *portal.Session) error { return drop(one(s).History(ctx, "r1", 0)) }},
	{"EditUserIdentity", "manage", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(s.EditUserIdentity(ctx, data.UserIdentity{Key: "ada", Name: "Ada L"}, portal.WriteOptions{}))
	}},
	{"Can read_details", "manage reservations details", false, true, true, func(_ context.Context, s *portal.Session) error {
		return s.Can(portal.ActionReadDetails)
	}},
	{"CreateAccessGrant", "manage reservations", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.CreateAccessGrant(ctx, portal.AccessGrantRequest{Grant: data.AccessGrant{
			User: ref(data.KindGuest, "ada"), Spaces: data.Refs(data.KindRoom, "101"),
		}}, portal.WriteOptions{}))
	}},
	{"EditAccessGrant", "manage reservations", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(s.EditAccessGrant(ctx, data.AccessGrant{Key: "r1", Name: "edited"}, portal.WriteOptions{}))
	}},
	{"PlanDelete access grant", "manage reservations", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).PlanDelete(ctx, ref(data.KindAccessGrant, "r1")))
	}},
	{"CancelAccessGrant", "manage reservations", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(s.CancelAccessGrant(ctx, "r1", portal.WriteOptions{}))
	}},
	{"UndoCancelAccessGrant", "manage reservations", true, true, true, func(ctx context.Context, s *portal.Session) error {
		if err := drop(s.UndoCancelAccessGrant(ctx, "r1")); !errors.Is(err, data.ErrResourceNotFound) { // the access grant was not cancelled
			return err
		}
		return nil
	}},
	{"UndoEditAccessGrant", "manage reservations", true, true, true, func(ctx context.Context, s *portal.Session) error {
		late := data.AccessGrant{Key: "r1"}
		if err := drop(s.UndoEditAccessGrant(ctx, late, late)); !errors.Is(err, data.ErrNotUndone) { // the permission was checked
			return err
		}
		return nil
	}},
	{"UndoRemoveStaffMember", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		if err := drop(s.UndoRemoveStaffMember(ctx, "sam")); !errors.Is(err, data.ErrResourceNotFound) { // the staff member was not removed
			return err
		}
		return nil
	}},
	{"AddStaffMember", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.AddStaffMember(ctx, data.UserIdentity{Name: "Kim", Spaces: data.Refs(data.KindRoom, "101")}, portal.WriteOptions{}))
	}},
	{"EditStaffMember", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.EditStaffMember(ctx, data.UserIdentity{Key: "sam", Name: "Samuel"}, portal.WriteOptions{}))
	}},
	{"AssignStaffMember", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.AssignStaffMember(ctx, data.UserIdentity{Key: "sam", Spaces: data.Refs(data.KindRoom, "101")}, portal.WriteOptions{}))
	}},
	{"PlanDelete staff member", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).PlanDelete(ctx, ref(data.KindStaffMember, "sam")))
	}},
	{"RemoveStaffMember", "manage staff", true, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.RemoveStaffMember(ctx, "sam", portal.WriteOptions{}))
	}},
	{"CreateSpace", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.CreateSpace(ctx, data.Space{Name: "New"}, portal.WriteOptions{}))
	}},
	{"RenameSpace", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.RenameSpace(ctx, "101", "Renamed", portal.WriteOptions{}))
	}},
	{"MoveSpace", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.MoveSpace(ctx, "spare", "lisbon", portal.WriteOptions{}))
	}},
	{"PlanDelete space", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).PlanDelete(ctx, ref(data.KindSpace, "spare")))
	}},
	{"DeleteSpace", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.DeleteSpace(ctx, "spare", portal.WriteOptions{}))
	}},
	{"Devices", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(one(s).Devices(ctx, portal.DeviceQuery{}))
	}},
	{"LockedSpaces", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return dropBoth(v.LockedSpaces(ctx)) })
	}},
	{"DeviceAttention", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.DeviceAttention(ctx, "", 10)) })
	}},
	{"Device", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return dropBoth(one(s).Device(ctx, lockOf101))
	}},
	{"DeviceActivity", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.DeviceActivity(ctx, lockOf101, 0, "")) })
	}},
	{"ActionAttempt", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.ActionAttempt(ctx, attemptIn(ctx))) })
	}},
	{"WaitForAttempt", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(s.WaitForAttempt(ctx, attemptIn(ctx), time.Nanosecond))
	}},
	{"ControlDevice", "manage", true, true, true, func(ctx context.Context, s *portal.Session) error {
		_, err := s.ControlDevice(ctx, lockOf101, device.Command{Kind: device.SetClimate}, "0123456789abcdef")
		if errors.Is(err, device.ErrUnsupported) { // the permission was checked; another command would wait in the store
			return nil
		}
		return err
	}},
	{"GuestLink", "manage reservations details", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(viewed(ctx, one(s), func(v *portal.View) (portal.CustomerPortal, error) { return v.GuestLink(ctx, "r1") }))
	}},
	{"ShareStay", "manage reservations details", true, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(s.ShareStay(ctx, "r1"))
	}},
	{"Stay", "manage reservations", false, true, false, func(ctx context.Context, s *portal.Session) error { return drop(one(s).Stay(ctx)) }},
	{"Can read_stay_pin", "manage reservations details", true, true, false, func(_ context.Context, s *portal.Session) error {
		return s.Can(portal.ActionReadStayPIN)
	}},
	{"UnlockDoor", "manage reservations", true, true, false, func(ctx context.Context, s *portal.Session) error {
		_, err := s.UnlockDoor(ctx, uuid.New(), "0123456789abcdef")
		if errors.Is(err, access.ErrDeviceNotFound) { // the permission was checked; another command would wait in the store
			return nil
		}
		return err
	}},
	{"AccessCodes", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return drop(codesOf(ctx, s, ref(data.KindReservation, "r1")))
	}},
	{"AccessCodes of a staff member", "manage staff", false, true, false, func(ctx context.Context, s *portal.Session) error {
		return drop(codesOf(ctx, s, ref(data.KindStaffMember, "sam")))
	}},
	{"CodesOfGrants", "manage reservations", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.CodesOfGrants(ctx, []string{"r1"})) })
	}},
	{"SpaceCodes", "manage", false, true, true, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.SpaceCodes(ctx, "101", 10)) })
	}},
	{"Can read_pins", "manage details", true, true, true, func(_ context.Context, s *portal.Session) error {
		return s.Can(portal.ActionReadPINs)
	}},
	{"ReissuePIN", "manage reservations details", true, true, true, func(ctx context.Context, s *portal.Session) error {
		if err := drop(s.ReissuePIN(ctx, ref(data.KindReservation, "r1"), "0123456789abcdef")); !errors.Is(err, access.ErrNoCodes) {
			return err // otherwise the permission was checked, and the lock has no access codes
		}
		return nil
	}},
	{"ReissuePIN of a staff member", "manage staff details", true, true, false, func(ctx context.Context, s *portal.Session) error {
		if err := drop(s.ReissuePIN(ctx, ref(data.KindStaffMember, "sam"), "0123456789abcdef")); !errors.Is(err, access.ErrNoCodes) {
			return err
		}
		return nil
	}},
	{"AutomationRules", "configure", false, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.AutomationRules(ctx)) })
	}},
	{"SetAutomationRules", "configure", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.SetAutomationRules(ctx, access.Rules{}, access.Rules{})
	}},
	{"Providers", "connect", false, false, false, func(_ context.Context, s *portal.Session) error {
		return s.View(context.Background(), func(v *portal.View) error { return drop(v.Providers()) })
	}},
	{"ConnectedAccounts", "connect", false, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.ConnectedAccounts(ctx)) })
	}},
	{"ConnectedAccount", "connect", false, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return dropBoth(v.ConnectedAccount(ctx, idsOf(ctx).account)) })
	}},
	{"Connect", "connect", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: login(password)}))
	}},
	{"Connect again", "connect", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Reconnect: idsOf(ctx).account, Answers: login(password)}))
	}},
	{"ResumeConnect", "connect", true, false, false, func(ctx context.Context, s *portal.Session) error {
		if err := drop(s.ResumeConnect(ctx, nil)); !errors.Is(err, access.ErrConnectExpired) { // nothing waits for a login
			return err
		}
		return nil
	}},
	{"DeleteAccount", "connect", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.DeleteAccount(ctx, idsOf(ctx).account))
	}},
	{"DeviceSuggestions", "organize", false, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.DeviceSuggestions(ctx)) })
	}},
	{"MappableDevice", "organize", false, false, false, func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return drop(v.MappableDevice(ctx, idsOf(ctx).device)) })
	}},
	{"MapDevices", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.MapDevices(ctx, idsOf(ctx).to101()))
	}},
	{"UnmapDevices", "organize", true, false, false, func(ctx context.Context, s *portal.Session) error {
		return drop(s.UnmapDevices(ctx, idsOf(ctx).to101()))
	}},
	{"Can connect", "connect", true, false, false, func(_ context.Context, s *portal.Session) error { return s.Can(portal.ActionConnect) }},
	{"Can configure", "configure", true, false, false, func(_ context.Context, s *portal.Session) error { return s.Can(portal.ActionConfigure) }},
}

// attemptKey is the key of the id of an action attempt for the lock of room 101 in the context of a cell.
type attemptKey struct{}

func attemptIn(ctx context.Context) uuid.UUID { return ctx.Value(attemptKey{}).(uuid.UUID) }

// noCells are the methods that do not read or write data of a customer.
var noCells = strings.Fields("Portal Token ExpiresAt End Can Format View IsWebview IsGuestLink FailWebview Webview")

func TestPermissionMatrix_SessionMethods_AreComplete(t *testing.T) {
	t.Parallel()
	var missing []string
	for _, of := range []reflect.Type{reflect.TypeFor[*portal.Session](), reflect.TypeFor[*portal.View]()} {
		for m := range of.Methods() {
			inMatrix := slices.ContainsFunc(cells, func(c cell) bool { return strings.Fields(c.method)[0] == m.Name })
			if !inMatrix && !slices.Contains(noCells, m.Name) {
				missing = append(missing, m.Name)
			}
		}
	}
	require.Empty(t, missing)
}

// throughTarget are the cells that use the resources to which the reservation of a deep link refers, or the devices in them. They
// find nothing if the features hide the reservation.
var throughTarget = strings.Fields("Space UserIdentity EditUserIdentity Device DeviceActivity ActionAttempt WaitForAttempt ControlDevice SpaceCodes")

// ofDevice are the cells that a deep link to a device allows.
var ofDevice = strings.Fields("Counts LandingPage Appearance Devices LockedSpaces DeviceAttention Device DeviceActivity ActionAttempt WaitForAttempt ControlDevice")

// ofGuest are the cells that a guest link allows. onlyGuest are those of them that no other portal allows.
var (
	ofGuest   = append(strings.Fields("Counts LandingPage Appearance ActionAttempt WaitForAttempt"), onlyGuest...)
	onlyGuest = []string{"Stay", "Can read_stay_pin", "UnlockDoor"}
)

// ofOthers reports whether a cell reads an action attempt of the host, which a guest link does not find.
func (c cell) ofOthers(mode string) bool {
	return mode == "guest link" && (c.method == "ActionAttempt" || c.method == "WaitForAttempt")
}

func (c cell) findsNothing(excluded map[string]bool, mode string) bool {
	return c.ofOthers(mode) || mode == "deep link" && (excluded["manage"] || excluded["reservations"]) && slices.Contains(throughTarget, c.method)
}

// want returns the Reason with which a portal refuses a cell, or "" if the portal allows it.
func (c cell) want(excluded map[string]bool, readOnly bool, mode string) string {
	if c.ofOthers(mode) {
		c.needs = "manage reservations"
	}
	switch {
	case (mode == "guest link") != slices.Contains(onlyGuest, c.method) && (mode != "guest link" || !slices.Contains(ofGuest, c.method)):
		return "guest_link"
	case mode == "guest link":
	case mode == "deep link" && !c.deepLink, mode == "device link" && !slices.Contains(ofDevice, c.method):
		return "deep_link"
	case mode != "full" && !c.restricted:
		return "restricted"
	}
	for _, need := range strings.Fields(c.needs) {
		if !slices.ContainsFunc(strings.Split(need, "|"), func(feature string) bool { return !excluded[feature] }) {
			return "feature"
		}
	}
	if c.writes && readOnly {
		return "read_only"
	}
	return ""
}

// manor returns the customer of the matrix.
func manor() data.CustomerData {
	d := *hotel()
	d.AccessGrants[0] = d.AccessGrants[0].During(start, start.Add(24*time.Hour))
	d.Add(data.PlainSpace("spare", "Spare"), data.StaffMember("sam", "Sam", data.Refs(data.KindRoom, "101")...))
	return d
}

// TestPermissionMatrix_AllConfigurations calls each method in each configuration: every feature excluded or not, read-only or
// not, full, restricted, as a deep link to a reservation or a device, and as a guest link. At full size, every configuration is tested on the memory
// store, and every 11th on each backend. By default, these are every 7th and every 101st: all numbers are odd, so each feature is
// tested with each mode.
func TestPermissionMatrix_AllConfigurations(t *testing.T) {
	t.Parallel()
	if !race.Enabled && !testing.Short() {
		t.Run("one store", func(t *testing.T) {
			t.Parallel()
			step := testsize.Pick(7, 7, 1)
			configurations := (1<<len(excludable)*2*len(modes) + step - 1) / step
			require.Equal(t, configurations*len(cells), matrix(t, setup(t, memory.New()), step))
		})
	}
	backends.EachAll(t, func(t *testing.T, store storage.Store) { matrix(t, setup(t, store), testsize.Pick(31, 101, 11)) })
}

// modes are the values of mode in the matrix.
var modes = []string{"full", "restricted", "deep link", "device link", "guest link"}

// matrix tests the cells of every step-th configuration, and returns the number of calls.
func matrix(t *testing.T, f *fixture, step int) (tested int) {
	_, err := f.ws.Push(t.Context(), manor())
	require.NoError(t, err)
	f.addDevice(t, "My Company", "lock", "101")
	attempt, err := f.portals.Access().Workspace(f.ws.ID()).Do(t.Context(), lockOf101, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
	require.NoError(t, err)
	ctx := context.WithValue(t.Context(), attemptKey{}, attempt.ID)
	for n := 0; n < 1<<len(excludable)*2*len(modes); n += step {
		readOnly, mode := n%2 == 1, modes[n/2%len(modes)]
		c := portal.Config{ReadOnly: readOnly}
		excluded := map[string]bool{}
		for i, e := range excludable {
			if n/2/len(modes)>>i&1 == 1 {
				excluded[e.name] = true
				e.exclude(&c.Features)
			}
		}
		if mode != "full" {
			c.NavigationMode = portal.NavigationRestricted
		}
		switch mode {
		case "deep link":
			c.DeepLink = ref(data.KindReservation, "r1")
		case "device link":
			c.DeepLink = ref(data.KindDevice, lockOf101.String())
		}
		var session *portal.Session
		for _, cell := range cells {
			report, err := f.ws.Sync(t.Context(), manor())
			require.NoError(t, err)
			ctx := f.withDevices(t, ctx)
			if session == nil || report.Created.AccessGrants > 0 { // the deep link was revoked when its reservation was deleted
				var p portal.CustomerPortal
				if mode == "guest link" {
					p = f.guestLink(t, "r1", func(to *portal.Config) { to.ReadOnly, to.Features = c.ReadOnly, c.Features })
				} else {
					p = f.create(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
				}
				session, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
				require.NoError(t, err)
			}
			want := cell.want(excluded, readOnly, mode)
			before := f.exportDevices(t)
			err = cell.call(ctx, session)
			tested++
			if want == "" && cell.findsNothing(excluded, mode) {
				require.True(t, errors.Is(err, data.ErrResourceNotFound) || errors.Is(err, access.ErrNotFound), "%s, excluded %v, read-only %v, %s: %v", cell.method, excluded, readOnly, mode, err)
				continue
			}
			if want == "" {
				require.NoError(t, err, "%s, excluded %v, read-only %v, %s", cell.method, excluded, readOnly, mode)
				continue
			}
			var got *portal.RefusedError
			if !errors.As(err, &got) || got.Reason != want {
				t.Fatalf("%s, excluded %v, read-only %v, %s: want %s, got %v", cell.method, excluded, readOnly, mode, want, err)
			}
			require.ErrorIs(t, err, portal.ErrRefused)
			after, err := f.ws.SyncWith(t.Context(), manor(), data.SyncOptions{DryRun: true})
			require.NoError(t, err)
			require.Zero(t, after.Created.Total()+after.Updated.Total()+len(after.Deleted), "%s changed something", cell.method)
			require.Equal(t, before, f.exportDevices(t), "%s changed something", cell.method)
		}
	}
	return tested
}
