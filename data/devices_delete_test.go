package data_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
)

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
