package data_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// numbered returns the id with this number.
func numbered(n int) (id uuid.UUID) {
	copy(id[:], fmt.Sprintf("%016d", n))
	return id
}

// lock returns the id of the lock with this external id of the account with number 1.
func lock(externalID string) uuid.UUID { return devicedata.DeviceID(numbered(1), externalID) }

// withDevices runs fn in a transaction that can write the devices of the customer.
func withDevices(ws *data.Workspace, customer string, ctx context.Context, fn func(context.Context, data.CustomerTx) error) error {
	c, err := ws.Customer(ctx, customer)
	if err != nil {
		return err
	}
	return devicedata.Within(ctx, ws, devicedata.IDOf(c), fn)
}

// code returns a code of a lock for an access grant. Its id is derived from both.
func code(lock uuid.UUID, grant string, slot int) devicedata.Code {
	return devicedata.Code{
		DeviceID: lock, ID: uuid.NewSHA1(lock, []byte(grant)), Subject: devicedata.GrantSubject(grant), Slot: slot, SealedPIN: []byte("pin of " + grant), StartsAt: clockStart,
	}
}

// lockedHotel pushes a site with rooms 1 and 2, an annex with room 3, a grant for each room and one for rooms 1 and 3, a staff member
// of room 2, and a lock on each room and a shared front door at the site. It sets the codes of all grants.
func lockedHotel(t *testing.T, ws *data.Workspace, customer string) {
	t.Helper()
	push(t, ws, customer,
		data.Site("site", "Site"), data.Site("annex", "Annex"),
		data.Room("r1", "1").In("site"), data.Room("r2", "2").In("site"), data.Room("r3", "3").In("annex"),
		data.CommonArea("lobby", "Lobby").In("site"),
		data.Guest("u1", "U1"), data.Guest("u2", "U2"),
		data.StaffMember("staff", "Staff", data.Refs(data.KindRoom, "r2", "r3")...),
		data.Reservation("g1", data.Ref{Kind: data.KindGuest, Key: "u1"}, data.Refs(data.KindRoom, "r1")...),
		data.Reservation("g2", data.Ref{Kind: data.KindGuest, Key: "u2"}, data.Refs(data.KindRoom, "r2")...),
		data.Reservation("g13", data.Ref{Kind: data.KindGuest, Key: "u1"}, data.Refs(data.KindRoom, "r1", "r3")...),
	)
	require.NoError(t, withDevices(ws, customer, t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
		if err := devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: numbered(1), Provider: "hub", ExternalID: "hub-1", Name: "Hub", SealedSecret: []byte("secret")}); err != nil {
			return err
		}
		var devices []devicedata.Device
		var mappings []devicedata.DeviceMappings
		var states []devicedata.State
		for _, d := range []struct {
			id, space string
			shared    bool
		}{{"l1", "r1", false}, {"l2", "r2", false}, {"l3", "r3", false}, {"front", "site", true}, {"lobby", "lobby", true}} {
			devices = append(devices, devicedata.Device{ExternalID: d.id, Name: d.id})
			mappings = append(mappings, devicedata.DeviceMappings{DeviceID: lock(d.id), Mappings: []devicedata.Mapping{{SpaceKey: d.space, Shared: d.shared}}})
			states = append(states, devicedata.State{DeviceID: lock(d.id), At: clockStart, Value: []byte("locked")})
		}
		if _, err := devicedata.PutDevices(ctx, tx, numbered(1), devices); err != nil {
			return err
		}
		if _, err := devicedata.SetMappings(ctx, tx, mappings); err != nil {
			return err
		}
		if err := devicedata.PutStates(ctx, tx, states); err != nil {
			return err
		}
		staff := code(lock("l2"), "staff", 2)
		staff.Subject = devicedata.StaffSubject("staff")
		staff3 := code(lock("l3"), "staff", 2)
		staff3.Subject = staff.Subject
		return devicedata.CreateCodes(ctx, tx, []devicedata.Code{
			code(lock("l1"), "g1", 1), code(lock("front"), "g1", 1), code(lock("lobby"), "g1", 1),
			code(lock("l2"), "g2", 1), code(lock("front"), "g2", 2), code(lock("lobby"), "g2", 2),
			code(lock("l1"), "g13", 3), code(lock("l3"), "g13", 3), code(lock("front"), "g13", 3), code(lock("lobby"), "g13", 3),
			staff, staff3,
		})
	}))
}

// deviceState describes the customer's mappings and codes and all removals, one line each: "l1 r1", "front site shared",
// "code g1 on l1", and "removal of 1 on l1: 3".
func deviceState(t *testing.T, ws *data.Workspace, customer string) (lines []string) {
	t.Helper()
	names := map[uuid.UUID]string{}
	require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
		lines = nil
		c, err := s.Customer(t.Context(), customer)
		if err == nil {
			id := devicedata.IDOf(c)
			for d, err := range devicedata.Devices(t.Context(), s, id, uuid.Nil) {
				require.NoError(t, err)
				names[d.ID] = d.ExternalID
				for _, m := range d.Mappings {
					line := d.ExternalID + " " + m.SpaceKey
					if m.Shared {
						line += " shared"
					}
					lines = append(lines, line)
				}
			}
			for c, err := range devicedata.Codes(t.Context(), s, id) {
				require.NoError(t, err)
				lines = append(lines, fmt.Sprintf("code %s on %s", c.Subject.Key, names[c.DeviceID]))
			}
		}
		for r, err := range devicedata.Removals(t.Context(), s.Reader()) {
			require.NoError(t, err)
			lines = append(lines, fmt.Sprintf("removal of %s on %s: %d", r.SealedPIN, r.DeviceExternalID, r.Reason))
		}
		return nil
	}))
	slices.Sort(lines)
	return lines
}

// summary describes the effects of a delete on devices and codes, one line each: "unmap l1 r1" and "end g1 on l1, room r1".
func summary(unmapped []data.Unmapped, removals []data.CodeRemoval) []string {
	name := map[uuid.UUID]string{}
	codes := map[uuid.UUID]string{}
	for _, l := range []string{"l1", "l2", "l3", "front", "lobby"} {
		name[lock(l)] = l
		for _, g := range []string{"g1", "g2", "g13", "staff"} {
			codes[code(lock(l), g, 0).ID] = g
		}
	}
	lines := []string{}
	for _, u := range unmapped {
		lines = append(lines, fmt.Sprintf("unmap %s %s", name[u.DeviceID], u.Space.Key))
	}
	for _, r := range removals {
		line := fmt.Sprintf("end %s on %s", codes[r.CodeID], name[r.DeviceID])
		if r.Because != nil {
			line += ", " + r.Because.String()
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// hotelCodes are the codes that lockedHotel sets.
var hotelCodes = []string{
	"code g1 on l1", "code g1 on front", "code g1 on lobby", "code g2 on l2", "code g2 on front", "code g2 on lobby",
	"code g13 on l1", "code g13 on l3", "code g13 on front", "code g13 on lobby", "code staff on l2", "code staff on l3",
}

var hotelMappings = []string{"l1 r1", "l2 r2", "l3 r3", "front site shared", "lobby lobby shared"}

// requireEnded requires that the lines of the effects, as returned by summary, have happened to a hotel: every mapping and code
// either exists or has ended, and every ended code has a removal.
func requireEnded(t *testing.T, ws *data.Workspace, effects []string) {
	t.Helper()
	var want []string
	for _, m := range hotelMappings {
		if fields := strings.Fields(m); !slices.Contains(effects, "unmap "+fields[0]+" "+fields[1]) {
			want = append(want, m)
		}
	}
	for _, c := range hotelCodes {
		ended := strings.Replace(c, "code ", "end ", 1)
		if !slices.ContainsFunc(effects, func(e string) bool { return e == ended || strings.HasPrefix(e, ended+",") }) {
			want = append(want, c)
			continue
		}
		fields := strings.Fields(c)
		want = append(want, fmt.Sprintf("removal of pin of %s on %s", fields[1], fields[3]))
	}
	slices.Sort(want)
	var got []string
	for _, line := range deviceState(t, ws, "a") {
		line, _, _ = strings.Cut(line, ":")
		got = append(got, line)
	}
	require.ElementsMatch(t, want, got)
	requireUndamaged(t, ws.DB().Store())
}

// TestDelete_ResourceWithCodes_SchedulesRemovals deletes each kind of resource on which the access of a code depends.
func TestDelete_ResourceWithCodes_SchedulesRemovals(t *testing.T) {
	cases := []struct {
		name string
		sel  []data.Ref
		want []string
	}{
		{"a grant", data.Refs(data.KindReservation, "g1"), []string{
			"end g1 on front, reservation g1", "end g1 on l1, reservation g1", "end g1 on lobby, reservation g1",
		}},
		{"a user", data.Refs(data.KindGuest, "u2"), []string{
			"end g2 on front, reservation g2", "end g2 on l2, reservation g2", "end g2 on lobby, reservation g2",
		}},
		{"a staff member", data.Refs(data.KindStaffMember, "staff"), []string{
			"end staff on l2, staff_member staff", "end staff on l3, staff_member staff",
		}},
		{"the last space of one grant, and the space of another in the site", data.Refs(data.KindRoom, "r1"), []string{
			"end g1 on front, reservation g1", "end g1 on l1, reservation g1", "end g1 on lobby, reservation g1",
			"end g13 on front, room r1", "end g13 on l1, room r1", "end g13 on lobby, room r1", "unmap l1 r1",
		}},
		{"a space of a staff member and of a grant with others", data.Refs(data.KindRoom, "r3"), []string{
			"end g13 on l3, room r3", "end staff on l3, room r3", "unmap l3 r3",
		}},
		{"a space with a shared device", data.Refs(data.KindCommonArea, "lobby"), []string{
			"end g1 on lobby, common_area lobby", "end g13 on lobby, common_area lobby", "end g2 on lobby, common_area lobby", "unmap lobby lobby",
		}},
		{"a site", data.Refs(data.KindSite, "annex"), []string{
			"end g13 on l3, room r3", "end staff on l3, room r3", "unmap l3 r3",
		}},
		{"a site with shared devices", data.Refs(data.KindSite, "site"), []string{
			"end g1 on front, reservation g1", "end g1 on l1, reservation g1", "end g1 on lobby, reservation g1",
			"end g13 on front, room r1", "end g13 on l1, room r1", "end g13 on lobby, room r1",
			"end g2 on front, reservation g2", "end g2 on l2, reservation g2", "end g2 on lobby, reservation g2",
			"end staff on l2, room r2", "unmap front site", "unmap l1 r1", "unmap l2 r2", "unmap lobby lobby",
		}},
		{"a user without codes", data.Refs(data.KindGuest, "absent"), []string{}},
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, c := range cases {
			lockedHotel(t, ws, "a")
			sel := data.Selection{Resources: c.sel}
			before := deviceState(t, ws, "a")
			plan, err := ws.PlanDelete(t.Context(), sel)
			require.NoError(t, err)
			dry, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{DryRun: true})
			require.NoError(t, err)
			require.Equal(t, before, deviceState(t, ws, "a"), c.name)
			report, err := ws.Delete(t.Context(), sel)
			require.NoError(t, err)
			require.Equal(t, plan, report, c.name)
			require.Equal(t, dry, report, c.name)
			require.Equal(t, c.want, summary(report.Unmapped, report.CodeRemovals), c.name)
			requireEnded(t, ws, c.want)
			emptied(t, ws, "a")
		}
	})
}

// emptied deletes a customer and drops all removals. It requires that nothing remains after a sweep.
func emptied(t *testing.T, ws *data.Workspace, customer string) {
	t.Helper()
	_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{customer}})
	require.NoError(t, err)
	dropRemovals(t, ws)
	require.Empty(t, dumpAfterSweep(t, ws))
	requireUndamaged(t, ws.DB().Store())
}

// dropRemovals drops all removals, and returns their number.
func dropRemovals(t *testing.T, ws *data.Workspace) (n int) {
	t.Helper()
	require.NoError(t, devicedata.Update(t.Context(), ws.DB(), func(tx storage.Tx) error {
		n = 0
		var all []*devicedata.Removal
		for r, err := range devicedata.Removals(t.Context(), tx) {
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		for _, r := range all {
			dropped, err := devicedata.DropRemoval(t.Context(), tx, r.AccountID, r.CodeID)
			if err != nil || !dropped {
				return fmt.Errorf("dropping a removal: %v, %w", dropped, err)
			}
			n++
		}
		return nil
	}))
	return n
}

// TestSync_UnlistedResourceWithCodes_SchedulesRemovals syncs the exported data without some of the resources.
func TestSync_UnlistedResourceWithCodes_SchedulesRemovals(t *testing.T) {
	cases := []struct {
		name     string
		unlisted []string
		want     []string
	}{
		{"a grant", []string{"g1"}, []string{"end g1 on front, reservation g1", "end g1 on l1, reservation g1", "end g1 on lobby, reservation g1"}},
		{"a space that listed grants still name", []string{"r1"}, []string{
			"end g1 on front, room r1", "end g1 on l1, room r1", "end g1 on lobby, room r1",
			"end g13 on front, room r1", "end g13 on l1, room r1", "end g13 on lobby, room r1", "unmap l1 r1",
		}},
		{"a staff member", []string{"staff"}, []string{"end staff on l2, staff_member staff", "end staff on l3, staff_member staff"}},
		{"nothing", nil, []string{}},
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, c := range cases {
			lockedHotel(t, ws, "a")
			d, err := ws.Export(t.Context(), "a")
			require.NoError(t, err)
			d.Spaces = slices.DeleteFunc(d.Spaces, func(s data.Space) bool { return slices.Contains(c.unlisted, s.Key) })
			d.UserIdentities = slices.DeleteFunc(d.UserIdentities, func(u data.UserIdentity) bool { return slices.Contains(c.unlisted, u.Key) })
			d.AccessGrants = slices.DeleteFunc(d.AccessGrants, func(g data.AccessGrant) bool { return slices.Contains(c.unlisted, g.Key) })
			dry, err := ws.SyncWith(t.Context(), d, data.SyncOptions{DryRun: true})
			require.NoError(t, err)
			report, err := ws.Sync(t.Context(), d)
			require.NoError(t, err)
			require.Equal(t, dry.CodeRemovals, report.CodeRemovals, c.name)
			require.Equal(t, dry.Unmapped, report.Unmapped, c.name)
			require.Equal(t, c.want, summary(report.Unmapped, report.CodeRemovals), c.name)
			requireEnded(t, ws, c.want)
			emptied(t, ws, "a")
		}
	})
}

// TestSync_OtherKindOfResource_KeepsMappingsAndCodes changes the kinds of a mapped room and of a grant with codes.
func TestSync_OtherKindOfResource_KeepsMappingsAndCodes(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		d, err := ws.Export(t.Context(), "a")
		require.NoError(t, err)
		for i := range d.Spaces {
			if d.Spaces[i].Key == "r1" {
				d.Spaces[i].Kind = data.KindUnit
			}
		}
		for i := range d.AccessGrants {
			if d.AccessGrants[i].Key == "g1" {
				d.AccessGrants[i].Kind = data.KindBooking
			}
		}
		report, err := ws.Sync(t.Context(), d)
		require.NoError(t, err)
		require.Len(t, report.Deleted, 2)
		require.Empty(t, report.CodeRemovals)
		require.Empty(t, report.Unmapped)
		requireEnded(t, ws, nil)
	})
}

// TestDevices_DeletedOrUnmapped_EndCodes deletes a device and an account, and changes mappings.
func TestDevices_DeletedOrUnmapped_EndCodes(t *testing.T) {
	type endFunc func(context.Context, data.CustomerTx) ([]data.CodeRemoval, error)
	setMappings := func(id string, mappings ...devicedata.Mapping) endFunc {
		return func(ctx context.Context, tx data.CustomerTx) ([]data.CodeRemoval, error) {
			return devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock(id), Mappings: mappings}})
		}
	}
	cases := []struct {
		name   string
		do     endFunc
		ended  []string
		reason devicedata.Reason
		counts devicedata.Counts
	}{
		{
			"a device", func(ctx context.Context, tx data.CustomerTx) ([]data.CodeRemoval, error) {
				return devicedata.DeleteDevices(ctx, tx, lock("l1"), lock("absent"))
			}, []string{"end g1 on l1", "end g13 on l1"}, devicedata.ReasonDeviceDeleted, devicedata.Counts{Accounts: 1, Devices: 4, Codes: 10},
		},
		{
			"an account", func(ctx context.Context, tx data.CustomerTx) ([]data.CodeRemoval, error) {
				return devicedata.DeleteAccount(ctx, tx, numbered(1))
			}, ended(hotelCodes), devicedata.ReasonAccountDeleted, devicedata.Counts{},
		},
		{"a device mapped to another room", setMappings("l1", devicedata.Mapping{SpaceKey: "r2"}), []string{"end g1 on l1", "end g13 on l1"}, devicedata.ReasonUnmapped, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 10}},
		{"an unmapped device", setMappings("lobby"), []string{"end g1 on lobby", "end g13 on lobby", "end g2 on lobby"}, devicedata.ReasonUnmapped, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 9}},
		{"a front door of another site", setMappings("front", devicedata.Mapping{SpaceKey: "annex", Shared: true}), []string{"end g1 on front", "end g2 on front"}, devicedata.ReasonUnmapped, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 10}},
		{"a front door that is no longer shared", setMappings("front", devicedata.Mapping{SpaceKey: "site"}), []string{"end g1 on front", "end g13 on front", "end g2 on front"}, devicedata.ReasonUnmapped, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 9}},
		{"one more room", setMappings("l1", devicedata.Mapping{SpaceKey: "r1"}, devicedata.Mapping{SpaceKey: "r2"}), []string{}, 0, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 12}},
		{
			"ended codes", func(ctx context.Context, tx data.CustomerTx) ([]data.CodeRemoval, error) {
				c := code(lock("l1"), "g1", 1)
				return devicedata.EndCodes(ctx, tx, []devicedata.CodeKey{{Device: c.DeviceID, Code: c.ID}, {Device: c.DeviceID, Code: numbered(9)}}, devicedata.ReasonEnded)
			}, []string{"end g1 on l1"}, devicedata.ReasonEnded, devicedata.Counts{Accounts: 1, Devices: 5, Codes: 11},
		},
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		for _, c := range cases {
			lockedHotel(t, ws, "a")
			var got []data.CodeRemoval
			var counts devicedata.Counts
			do := func() {
				require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) (err error) {
					if got, err = c.do(ctx, tx); err != nil {
						return err
					}
					counts, err = devicedata.CountsOf(ctx, tx.Snapshot, devicedata.IDOf(tx.Customer))
					return err
				}), c.name)
			}
			do()
			require.Equal(t, c.ended, summary(nil, got), c.name)
			counts.Writes = 0
			require.Equal(t, c.counts, counts, c.name)
			requireUndamaged(t, ws.DB().Store())
			do()
			require.Empty(t, got, "%s, again", c.name)
			require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) error {
				n, err := devicedata.CountRemovals(t.Context(), r, numbered(1))
				require.Equal(t, len(c.ended), n, c.name)
				for r, err := range devicedata.RemovalsOfAccount(t.Context(), r, numbered(1)) {
					require.NoError(t, err)
					require.Equal(t, c.reason, r.Reason, c.name)
				}
				return err
			}))
			emptied(t, ws, "a")
		}
	})
}

// ended returns the lines that summary returns if these codes have ended without a deleted resource.
func ended(codes []string) []string {
	var out []string
	for _, c := range codes {
		out = append(out, strings.Replace(c, "code ", "end ", 1))
	}
	slices.Sort(out)
	return out
}

// TestDelete_CustomerWithCodes_KeepsRemovalsAfterErase deletes a customer, erases its rows and creates it again. The removals
// must still contain everything that is needed to reach the devices, and nothing about the customer.
func TestDelete_CustomerWithCodes_KeepsRemovalsAfterErase(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		ring, err := keys.New(0, map[int][]byte{0: []byte("0123456789abcdef0123456789abcdef")})
		require.NoError(t, err)
		lockedHotel(t, ws, "a")
		c := code(lock("l1"), "g1", 1)
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			secret, err := ring.Seal(keys.PurposeAccount, devicedata.SecretKey(numbered(1)), []byte("the secret"), rand.Reader)
			if err != nil {
				return err
			}
			if c.SealedPIN, err = ring.Seal(keys.PurposePIN, devicedata.PINKey(numbered(1), c.ID), []byte("4711"), rand.Reader); err != nil {
				return err
			}
			if err := devicedata.UpdateAccount(ctx, tx, devicedata.Account{ID: numbered(1), Name: "Jane Doe's hub", SealedSecret: secret}); err != nil {
				return err
			}
			return devicedata.UpdateCodes(ctx, tx, []devicedata.Code{c})
		}))
		sel := data.Selection{CustomerKeys: []string{"a"}}
		plan, err := ws.PlanDelete(t.Context(), sel)
		require.NoError(t, err)
		report, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Equal(t, ended(hotelCodes), summary(report.Unmapped, report.CodeRemovals))
		requireUndamaged(t, ws.DB().Store())
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			found, err := devicedata.FindAccounts(t.Context(), s, numbered(1))
			require.Equal(t, []*devicedata.Account{nil}, found)
			for range devicedata.AllAccounts(t.Context(), s.Reader()) {
				require.Fail(t, "an account of a deleted customer")
			}
			return err
		}))
		require.NoError(t, ws.DB().Erase(t.Context(), data.EraseOptions{TrimBefore: clockStart.AddDate(1, 0, 0)}))
		stats, err := ws.DB().Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, data.Stats{PendingRemovals: len(hotelCodes)}, stats)
		rows := dumpAfterSweep(t, ws)
		require.Len(t, rows, len(hotelCodes)+1, "the removals and their account")
		for key, value := range rows {
			require.NotContains(t, key+value, "Jane")
		}
		requireUndamaged(t, ws.DB().Store())

		push(t, ws, "a", data.Reservation("g1", data.Ref{}))
		require.NoError(t, devicedata.Update(t.Context(), ws.DB(), func(tx storage.Tx) error {
			a, err := devicedata.FindRemovalAccount(t.Context(), tx, numbered(1))
			require.NoError(t, err)
			require.Equal(t, []string{"hub", "hub-1", workspaceID.String()}, []string{a.Provider, a.ExternalID, a.Workspace.String()})
			secret, err := ring.Open(keys.PurposeAccount, devicedata.SecretKey(a.ID), a.SealedSecret)
			require.NoError(t, err)
			require.Equal(t, "the secret", string(secret))
			r, err := devicedata.FindRemoval(t.Context(), tx, a.ID, c.ID)
			require.NoError(t, err)
			pin, err := ring.Open(keys.PurposePIN, devicedata.PINKey(a.ID, c.ID), r.SealedPIN)
			require.NoError(t, err)
			require.Equal(t, "4711", string(pin))
			require.Equal(t, []any{"l1", 1, devicedata.ReasonCustomerDeleted, lock("l1")}, []any{r.DeviceExternalID, r.Slot, r.Reason, r.DeviceID()})
			return devicedata.UpdateRemoval(t.Context(), tx, a.ID, c.ID, func(r *devicedata.Removal) error {
				r.Details, r.Slot = []byte("failed once"), 99
				return nil
			})
		}))
		require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) error {
			found, err := devicedata.FindRemoval(t.Context(), r, numbered(1), c.ID)
			require.Equal(t, "failed once 1", fmt.Sprintf("%s %d", found.Details, found.Slot))
			return err
		}))
		require.Equal(t, len(hotelCodes), dropRemovals(t, ws))
		require.NoError(t, devicedata.Update(t.Context(), ws.DB(), func(tx storage.Tx) error {
			dropped, err := devicedata.DropRemoval(t.Context(), tx, numbered(1), c.ID)
			require.False(t, dropped)
			require.ErrorIs(t, devicedata.UpdateRemovalSecret(t.Context(), tx, numbered(1), nil), devicedata.ErrNotFound)
			return err
		}))
		emptied(t, ws, "a")
	})
}

// TestUndoCancel_GrantWithCodes_RestoresOnlyTheGrant cancels a grant in a portal and takes it back.
func TestUndoCancel_GrantWithCodes_RestoresOnlyTheGrant(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		report, err := ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "g1")}, data.DeleteOptions{Actor: inPortal})
		require.NoError(t, err)
		require.Len(t, report.CodeRemovals, 3)
		_, err = ws.UndoCancel(t.Context(), "a", data.Ref{Kind: data.KindReservation, Key: "g1"}, inPortal, nil)
		require.NoError(t, err)
		requireEnded(t, ws, []string{"end g1 on l1", "end g1 on front", "end g1 on lobby"})
		emptied(t, ws, "a")
	})
}

// TestPush_MovedGrant_KeepsCodes moves a grant to another room. Package access removes its codes.
func TestPush_MovedGrant_KeepsCodes(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		before := export(t, ws, "a")
		require.NotContains(t, before, "lobby-lock")
		push(t, ws, "a", data.Reservation("g1", data.Ref{}, data.Refs(data.KindRoom, "r3")...))
		requireEnded(t, ws, nil)
		c, err := ws.Customer(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, map[data.Kind]int{data.KindSite: 2, data.KindRoom: 3, data.KindCommonArea: 1, data.KindGuest: 2, data.KindStaffMember: 1, data.KindReservation: 3}, c.Counts)
	})
}

// TestDelete_ParentSpaceOfSharedDevice_EndsCodes deletes a space that is the parent of others although it is not a site, so that
// they remain. A shared device in one of them no longer serves the others.
func TestDelete_ParentSpaceOfSharedDevice_EndsCodes(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		push(t, ws, "a", data.Room("parent", "P"), data.CommonArea("yard", "Y").In("parent"), data.Room("r4", "4").In("parent"), data.Reservation("g2", data.Ref{}, data.Refs(data.KindRoom, "r4")...))
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			if _, err := devicedata.PutDevices(ctx, tx, numbered(1), []devicedata.Device{{ExternalID: "gate"}}); err != nil {
				return err
			}
			if _, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock("gate"), Mappings: []devicedata.Mapping{{SpaceKey: "yard", Shared: true}}}}); err != nil {
				return err
			}
			return devicedata.CreateCodes(ctx, tx, []devicedata.Code{code(lock("gate"), "g2", 1)})
		}))
		report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "parent")})
		require.NoError(t, err)
		require.Equal(t, []data.CodeRemoval{
			{CustomerKey: "a", DeviceID: lock("gate"), CodeID: code(lock("gate"), "g2", 1).ID, Because: &data.Ref{Kind: data.KindRoom, Key: "parent"}},
		}, report.CodeRemovals)
		require.Empty(t, report.Unmapped)
		requireUndamaged(t, ws.DB().Store())
		emptied(t, ws, "a")
	})
}
