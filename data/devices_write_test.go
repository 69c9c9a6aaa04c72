package data_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// TestDeviceWrites_InvalidInput_NamesPathsAndChangesNothing makes each fault that a write can find.
func TestDeviceWrites_InvalidInput_NamesPathsAndChangesNothing(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	lockedHotel(t, ws, "a")
	push(t, ws, "b", data.Room("other", "Other"), data.Reservation("gb", data.Ref{}), data.Guest("ub", "UB"))
	account := devicedata.Account{ID: numbered(2), Provider: "hub", ExternalID: "hub-2"}
	valid := code(lock("l1"), "g2", 1)
	mapping := func(device uuid.UUID, mappings ...devicedata.Mapping) func(context.Context, data.CustomerTx) error {
		return func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock("l2")}, {DeviceID: device, Mappings: mappings}})
			return err
		}
	}
	devices := func(account uuid.UUID, devices ...devicedata.Device) func(context.Context, data.CustomerTx) error {
		return func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.PutDevices(ctx, tx, account, append([]devicedata.Device{{ExternalID: "new"}}, devices...))
			return err
		}
	}
	accounts := func(change func(*devicedata.Account), write func(context.Context, data.CustomerTx, devicedata.Account) error) func(context.Context, data.CustomerTx) error {
		return func(ctx context.Context, tx data.CustomerTx) error {
			a := account
			change(&a)
			return write(ctx, tx, a)
		}
	}
	created := func(change func(*devicedata.Code)) func(context.Context, data.CustomerTx) error {
		return func(ctx context.Context, tx data.CustomerTx) error {
			c := valid
			change(&c)
			return devicedata.CreateCodes(ctx, tx, []devicedata.Code{code(lock("l3"), "g2", 1), c})
		}
	}
	long := make([]byte, 270_000)
	for name, c := range map[string]struct {
		do      func(context.Context, data.CustomerTx) error
		faults  []string
		missing bool
	}{
		"an account without an id":       {accounts(func(a *devicedata.Account) { a.ID = uuid.Nil }, devicedata.CreateAccount), []string{"id required"}, false},
		"an account with a used id":      {accounts(func(a *devicedata.Account) { a.ID = numbered(1) }, devicedata.CreateAccount), []string{"id duplicate_key"}, false},
		"an account that is connected":   {accounts(func(a *devicedata.Account) { a.ExternalID = "hub-1" }, devicedata.CreateAccount), []string{"external_id duplicate_key"}, false},
		"an account with bad texts":      {accounts(func(a *devicedata.Account) { a.Provider, a.ExternalID, a.Name = "Hub", "a\x00", "\x01" }, devicedata.CreateAccount), []string{"name text_format", "provider format", "external_id key_format"}, false},
		"an account without external id": {accounts(func(a *devicedata.Account) { a.ExternalID = "" }, devicedata.CreateAccount), []string{"external_id key_format"}, false},
		"an account with a long secret":  {accounts(func(a *devicedata.Account) { a.SealedSecret, a.Details = long, long }, devicedata.CreateAccount), []string{"sealed_secret range", "details range"}, false},
		"an absent account":              {accounts(func(*devicedata.Account) {}, devicedata.UpdateAccount), []string{"id required"}, true},
		"devices of an absent account":   {devices(numbered(2)), []string{"account_id required"}, true},
		"a device with bad texts":        {devices(numbered(1), devicedata.Device{ExternalID: "\n", Name: strings.Repeat("n", 201), Details: long}), []string{"devices[1].external_id key_format", "devices[1].name text_format", "devices[1].details range"}, false},
		"a device twice":                 {devices(numbered(1), devicedata.Device{ExternalID: "new"}), []string{"devices[1].external_id duplicate_key"}, false},
		"a mapping of an absent device":  {mapping(lock("absent")), []string{"devices[1].device_id required"}, true},
		"mappings of a device twice":     {mapping(lock("l2")), []string{"devices[1].device_id duplicate_key"}, false},
		"a mapping to an absent space":   {mapping(lock("l1"), devicedata.Mapping{SpaceKey: "r1"}, devicedata.Mapping{SpaceKey: "nowhere"}), []string{"devices[1].mappings[1].space_key required"}, true},
		"a mapping to another's space":   {mapping(lock("l1"), devicedata.Mapping{SpaceKey: "other"}), []string{"devices[1].mappings[0].space_key required"}, true},
		"a mapping to a space twice":     {mapping(lock("l1"), devicedata.Mapping{SpaceKey: "r1"}, devicedata.Mapping{SpaceKey: "r1", Shared: true}), []string{"devices[1].mappings[1].space_key duplicate_key"}, false},
		"a mapping to a malformed key":   {mapping(lock("l1"), devicedata.Mapping{SpaceKey: " "}), []string{"devices[1].mappings[0].space_key key_format"}, false},
		"too many mappings":              {mapping(lock("l1"), make([]devicedata.Mapping, 501)...), []string{"devices[1].mappings too_many"}, false},
		"a code without an id":           {created(func(c *devicedata.Code) { c.ID = uuid.Nil }), []string{"codes[1].id required"}, false},
		"a code with a used id":          {created(func(c *devicedata.Code) { c.ID = code(lock("l1"), "g1", 1).ID }), []string{"codes[1].id duplicate_key"}, false},
		"a code twice":                   {created(func(c *devicedata.Code) { c.ID = code(lock("l3"), "g2", 1).ID }), []string{"codes[1].id duplicate_key"}, false},
		"a code of an absent device":     {created(func(c *devicedata.Code) { c.DeviceID = lock("absent") }), []string{"codes[1].device_id required"}, true},
		"a code of an absent grant":      {created(func(c *devicedata.Code) { c.Subject.Key = "absent" }), []string{"codes[1].subject.key required"}, true},
		"a code of another's grant":      {created(func(c *devicedata.Code) { c.Subject.Key = "gb" }), []string{"codes[1].subject.key required"}, true},
		"a code of a guest":              {created(func(c *devicedata.Code) { c.Subject = devicedata.StaffSubject("u1") }), []string{"codes[1].subject.key format"}, false},
		"a code of a space":              {created(func(c *devicedata.Code) { c.Subject.Class = byte(data.ClassSpace) }), []string{"codes[1].subject.class format"}, false},
		"a code with bad fields":         {created(func(c *devicedata.Code) { c.Slot, c.EndsAt, c.SealedPIN, c.Details = -1, clockStart, long, long }), []string{"codes[1].slot range", "codes[1].ends_at time_order", "codes[1].sealed_pin range", "codes[1].details range"}, false},
		"a state of an absent device": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.PutStates(ctx, tx, []devicedata.State{{DeviceID: lock("l1")}, {DeviceID: lock("absent")}})
		}, []string{"states[1].device_id required"}, true},
		"a state that is too long": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.PutStates(ctx, tx, []devicedata.State{{DeviceID: lock("l1"), Value: long}})
		}, []string{"states[0].value range"}, false},
		"a change of an absent code": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.UpdateCodes(ctx, tx, []devicedata.Code{code(lock("l1"), "g1", 7), valid})
		}, []string{"codes[1].id required"}, true},
		"a PIN of an absent grant": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.SetSubjectPIN(ctx, tx, devicedata.GrantSubject("absent"), nil)
		}, []string{"subject.key required"}, true},
		"a PIN of another's grant": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.SetSubjectPIN(ctx, tx, devicedata.GrantSubject("gb"), nil)
		}, []string{"subject.key required"}, true},
		"a PIN of a space": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.SetSubjectPIN(ctx, tx, devicedata.Subject{Class: byte(data.ClassSpace), Key: " "}, long)
		}, []string{"sealed_pin range", "subject.key key_format", "subject.class format"}, false},
		"rules that are too long": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.SetCustomerRules(ctx, tx, long)
		}, []string{"rules range"}, false},
		"rules of a workspace that are too long": {func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.SetWorkspaceRules(ctx, tx.Tx, workspaceID, long)
		}, []string{"rules range"}, false},
		"a removal for no reason": {func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.EndCodes(ctx, tx, nil, 0)
			return err
		}, nil, false},
		"a change of a code to bad fields": {func(ctx context.Context, tx data.CustomerTx) error {
			c := code(lock("l1"), "g1", 1<<40)
			return devicedata.UpdateCodes(ctx, tx, []devicedata.Code{c})
		}, []string{"codes[0].slot range"}, false},
	} {
		before := dump(t, ws)
		// The transaction is committed in spite of the fault.
		var refused error
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			refused = c.do(ctx, tx)
			return nil
		}), name)
		require.ErrorIs(t, refused, validation.ErrInvalid, name)
		require.Equal(t, c.missing, errors.Is(refused, devicedata.ErrNotFound), name)
		if c.faults != nil {
			require.Equal(t, c.faults, faults(t, refused), name)
		}
		require.Equal(t, before, dump(t, ws), name)
	}
	require.ErrorIs(t, devicedata.Within(t.Context(), ws, devicedata.CustomerID{1}, nil), data.ErrCustomerNotFound)
}

// TestDeviceReads_EachFunction_FindsItsRows reads the rows of a hotel in each way.
func TestDeviceReads_EachFunction_FindsItsRows(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		other := ws.DB().Workspace(otherWorkspace)
		push(t, other, "a", data.Room("r1", "1"))
		g1 := code(lock("l1"), "g1", 1)
		require.NoError(t, other.View(t.Context(), func(s *data.Snapshot) error {
			accounts, err := devicedata.FindAccounts(t.Context(), s, numbered(1))
			require.NoError(t, err)
			devices, err := devicedata.FindDevices(t.Context(), s, lock("l1"))
			require.NoError(t, err)
			codes, err := devicedata.FindCodes(t.Context(), s, g1.ID)
			require.True(t, accounts[0] == nil && devices[0] == nil && codes[0] == nil, "rows of another workspace")
			return err
		}))
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			ctx := t.Context()
			customer, err := s.Customer(ctx, "a")
			require.NoError(t, err)
			c := devicedata.IDOf(customer)
			accounts, err := devicedata.FindAccounts(ctx, s, numbered(7), numbered(1), lock("l1"))
			require.NoError(t, err)
			require.Nil(t, accounts[0])
			require.Nil(t, accounts[2], "the id of a device")
			require.Equal(t, []any{c, "hub", "hub-1", "Hub", "secret"}, []any{accounts[1].Customer, accounts[1].Provider, accounts[1].ExternalID, accounts[1].Name, string(accounts[1].SealedSecret)})
			devices, err := devicedata.FindDevices(ctx, s, lock("absent"), lock("front"))
			require.NoError(t, err)
			require.Nil(t, devices[0])
			require.Equal(t, []devicedata.Mapping{{SpaceKey: "site", Shared: true}}, devices[1].Mappings)
			require.Equal(t, []any{c, numbered(1), "front"}, []any{devices[1].Customer, devices[1].AccountID, devices[1].ExternalID})
			codes, err := devicedata.FindCodes(ctx, s, g1.ID, numbered(1))
			require.NoError(t, err)
			require.Nil(t, codes[1])
			want := g1
			want.Customer, want.AccountID, want.CreatedAt, want.UpdatedAt = c, numbered(1), codes[0].CreatedAt, codes[0].UpdatedAt
			require.Equal(t, &want, codes[0])

			states, err := devicedata.States(ctx, s, c, lock("l1"), lock("absent"))
			require.NoError(t, err)
			require.Equal(t, []*devicedata.State{{DeviceID: lock("l1"), At: clockStart, Value: []byte("locked")}, nil}, states)
			require.Equal(t, "l1", externalIDs(t, devicedata.DevicesOfSpace(ctx, s, c, "r1")))
			require.Empty(t, externalIDs(t, devicedata.DevicesOfSpace(ctx, s, c, "r")))
			all := strings.Fields(externalIDs(t, devicedata.Devices(ctx, s, c, uuid.Nil)))
			require.ElementsMatch(t, []string{"l1", "l2", "l3", "front", "lobby"}, all)
			require.Equal(t, strings.Join(all[2:], " "), externalIDs(t, devicedata.Devices(ctx, s, c, lock(all[1]))))
			require.Equal(t, strings.Join(all, " "), externalIDs(t, devicedata.DevicesOfAccount(ctx, s, c, numbered(1))))
			require.Empty(t, externalIDs(t, devicedata.DevicesOfAccount(ctx, s, c, numbered(2))))
			subjects := func(codes func(yield func(*devicedata.Code, error) bool)) (keys []string) {
				for c, err := range codes {
					require.NoError(t, err)
					keys = append(keys, c.Subject.Key)
				}
				return keys
			}
			require.ElementsMatch(t, []string{"g1", "g13"}, subjects(devicedata.CodesOfDevice(ctx, s, c, lock("l1"))))
			require.Equal(t, []string{"g1", "g1", "g1"}, subjects(devicedata.CodesOf(ctx, s, c, devicedata.GrantSubject("g1"))))
			require.Equal(t, []string{"staff", "staff"}, subjects(devicedata.CodesOf(ctx, s, c, devicedata.StaffSubject("staff"))))
			require.Len(t, subjects(devicedata.Codes(ctx, s, c)), len(hotelCodes))
			for _, found := range []func(func(devicedata.AccountAt, error) bool){devicedata.AllAccounts(ctx, s.Reader()), devicedata.AccountsAtProvider(ctx, s.Reader(), "hub", "hub-1")} {
				n := 0
				for a, err := range found {
					require.NoError(t, err)
					require.Equal(t, devicedata.AccountAt{Provider: "hub", ExternalID: "hub-1", Workspace: workspaceID, Customer: c, ID: numbered(1)}, a)
					n++
				}
				require.Equal(t, 1, n)
			}
			for range devicedata.AccountsAtProvider(ctx, s.Reader(), "hub", "hub") {
				require.Fail(t, "another account")
			}
			return nil
		}))
	})
}

func externalIDs(t *testing.T, devices func(yield func(*devicedata.Device, error) bool)) string {
	t.Helper()
	var ids []string
	for d, err := range devices {
		require.NoError(t, err)
		ids = append(ids, d.ExternalID)
	}
	return strings.Join(ids, " ")
}

// TestPutDevices_FoundAgain_KeepsIdAndMappings reads the inventory of an account again.
func TestPutDevices_FoundAgain_KeepsIdAndMappings(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		put := func(devices ...devicedata.Device) (changed []uuid.UUID) {
			require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) (err error) {
				changed, err = devicedata.PutDevices(ctx, tx, numbered(1), devices)
				return err
			}))
			return changed
		}
		before := dump(t, ws)
		require.Empty(t, put(devicedata.Device{ExternalID: "l1", Name: "l1", Codes: true}))
		require.Equal(t, before, dump(t, ws))
		require.Equal(t, []uuid.UUID{lock("l1"), lock("new")}, put(devicedata.Device{ExternalID: "l1", Name: "Lock 1", Codes: true}, devicedata.Device{ExternalID: "l2", Name: "l2", Codes: true}, devicedata.Device{ExternalID: "new"}))
		require.Equal(t, []uuid.UUID{lock("l2")}, put(devicedata.Device{ExternalID: "l2", Name: "l2"}), "it accepts no codes any more")
		requireEnded(t, ws, nil)
		emptied(t, ws, "a")
	})
}

// TestDropCodes_NoLongerOnDevice_LeaveNoRemoval drops codes and reads the rest of the rows by key.
func TestDropCodes_NoLongerOnDevice_LeaveNoRemoval(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		g1, g13 := code(lock("l1"), "g1", 1), code(lock("l1"), "g13", 3)
		key := devicedata.CodeKey{Device: g1.DeviceID, Code: g1.ID}
		other := devicedata.CodeKey{Device: g13.DeviceID, Code: g13.ID}
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			if err := devicedata.DropCodes(ctx, tx, []devicedata.CodeKey{key, key, {Device: lock("l1"), Code: numbered(9)}}); err != nil {
				return err
			}
			c := devicedata.IDOf(tx.Customer)
			codes, err := devicedata.CodesByKey(ctx, tx.Snapshot, c, key, other)
			require.NoError(t, err)
			require.Nil(t, codes[0])
			require.Equal(t, "g13", codes[1].Subject.Key)
			devices, err := devicedata.DevicesByID(ctx, tx.Snapshot, c, lock("absent"), lock("l1"))
			require.NoError(t, err)
			require.Nil(t, devices[0])
			require.Equal(t, "l1", devices[1].ExternalID)
			n := 0
			for a, err := range devicedata.Accounts(ctx, tx.Snapshot, c) {
				require.NoError(t, err)
				require.Equal(t, numbered(1), a.ID)
				n++
			}
			require.Equal(t, 1, n)
			return nil
		}))
		state := deviceState(t, ws, "a")
		require.NotContains(t, state, "code g1 on l1")
		require.NotContains(t, strings.Join(state, "\n"), "removal")
		require.Len(t, state, len(hotelMappings)+len(hotelCodes)-1)
		requireUndamaged(t, ws.DB().Store())
		emptied(t, ws, "a")
	})
}

// TestUpdateAccount_WithRemovals_ReplacesTheirSecret replaces the secret of an account that has removals, before and after the
// account is deleted.
func TestUpdateAccount_WithRemovals_ReplacesTheirSecret(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		lockedHotel(t, ws, "a")
		secrets := func() (out []string) {
			require.NoError(t, devicedata.View(t.Context(), ws.DB(), func(r storage.Reader) error {
				for a, err := range devicedata.RemovalAccounts(t.Context(), r, uuid.Nil) {
					if err != nil {
						return err
					}
					out = append(out, string(a.SealedSecret))
				}
				return nil
			}))
			return out
		}
		require.Empty(t, secrets())
		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "g1")})
		require.NoError(t, err)
		require.Equal(t, []string{"secret"}, secrets())
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.UpdateAccount(ctx, tx, devicedata.Account{ID: numbered(1), SealedSecret: []byte("second")})
		}))
		require.Equal(t, []string{"second"}, secrets())
		requireUndamaged(t, ws.DB().Store())
		require.NoError(t, withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteAccount(ctx, tx, numbered(1))
			return err
		}))
		require.NoError(t, devicedata.Update(t.Context(), ws.DB(), func(tx storage.Tx) error {
			require.ErrorIs(t, devicedata.UpdateRemovalSecret(t.Context(), tx, numbered(1), make([]byte, 20_000)), validation.ErrInvalid)
			return devicedata.UpdateRemovalSecret(t.Context(), tx, numbered(1), []byte("third"))
		}))
		require.Equal(t, []string{"third"}, secrets())
		emptied(t, ws, "a")
	})
}

// TestDelete_WithDevicesAndFailingReads_ReturnsError makes each read of deletes and of writes of devices fail. Each must return the
// error and change nothing.
func TestDelete_WithDevicesAndFailingReads_ReturnsError(t *testing.T) {
	t.Parallel()
	store := memory.New()
	lockedHotel(t, workspace(store), "a")
	before := dump(t, workspace(store))
	refused := errors.New("refused")
	within := func(fn func(context.Context, data.CustomerTx) error) func(*data.Workspace) error {
		return func(ws *data.Workspace) error {
			return withDevices(ws, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
				if err := fn(ctx, tx); err != nil {
					return err
				}
				return refused
			})
		}
	}
	deleting := func(sel data.Selection) func(*data.Workspace) error {
		return func(ws *data.Workspace) error {
			_, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{Guard: func(context.Context, *data.Snapshot, data.DeleteReport) error { return refused }})
			return err
		}
	}
	for name, do := range map[string]func(*data.Workspace) error{
		"a site":     deleting(data.Selection{Resources: data.Refs(data.KindSite, "site")}),
		"a customer": deleting(data.Selection{CustomerKeys: []string{"a"}}),
		"a sync": func(ws *data.Workspace) error {
			_, err := ws.SyncWith(t.Context(), data.CustomerData{CustomerKey: "a"}, data.SyncOptions{Guard: func(context.Context, *data.Snapshot, data.SyncReport) error { return refused }})
			return err
		},
		"an account": within(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteAccount(ctx, tx, numbered(1))
			return err
		}),
		"mappings": within(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock("front"), Mappings: []devicedata.Mapping{{SpaceKey: "annex", Shared: true}}}})
			return err
		}),
		"codes": within(func(ctx context.Context, tx data.CustomerTx) error {
			c := code(lock("l1"), "g2", 1)
			if err := devicedata.CreateCodes(ctx, tx, []devicedata.Code{c}); err != nil {
				return err
			}
			return devicedata.DropCodes(ctx, tx, []devicedata.CodeKey{{Device: c.DeviceID, Code: c.ID}})
		}),
		"reads": within(func(ctx context.Context, tx data.CustomerTx) error {
			c := devicedata.IDOf(tx.Customer)
			for _, err := range devicedata.DevicesOfSpace(ctx, tx.Snapshot, c, "site") {
				if err != nil {
					return err
				}
			}
			for _, err := range devicedata.CodesOf(ctx, tx.Snapshot, c, devicedata.GrantSubject("g1")) {
				if err != nil {
					return err
				}
			}
			for _, err := range devicedata.AllAccounts(ctx, tx.Tx) {
				if err != nil {
					return err
				}
			}
			_, err := devicedata.FindDevices(ctx, tx.Snapshot, lock("l1"))
			return err
		}),
	} {
		for n := 0; ; n++ {
			faulty := backends.NewFault(store, backends.Fault{Of: backends.Reads, After: n})
			err := do(workspace(faulty))
			require.Equal(t, before, dump(t, workspace(store)), name)
			if !faulty.Failed() {
				require.ErrorIs(t, err, refused, name)
				break
			}
			require.ErrorIs(t, err, backends.ErrFault, "%s, read %d", name, n)
		}
	}
}
