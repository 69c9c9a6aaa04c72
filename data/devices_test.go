package data_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
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
			devices = append(devices, devicedata.Device{ExternalID: d.id, Name: d.id, Codes: true})
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
		require.Len(t, rows, 2*len(hotelCodes)+1, "the removals, the times at which they are due, and their account")
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
