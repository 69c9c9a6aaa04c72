package data_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// writeCode creates a code of a grant of the customer "a".
func writeCode(ctx context.Context, ws *data.Workspace, grant string) error {
	return withDevices(ws, "a", ctx, func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.CreateCodes(ctx, tx, []devicedata.Code{code(lock("l2"), grant, 9)})
	})
}

// TestCreateCodes_InterleavedWithDelete_LosesNoRemoval writes a code before a delete, between its plan and its write, and after
// it, for each way to end the access. No code may exist without its grant, and no code may be lost.
func TestCreateCodes_InterleavedWithDelete_LosesNoRemoval(t *testing.T) {
	t.Parallel()
	deleting := func(sel data.Selection) func(context.Context, *data.Workspace) error {
		return func(ctx context.Context, ws *data.Workspace) error { _, err := ws.Delete(ctx, sel); return err }
	}
	ends := map[string]func(context.Context, *data.Workspace) error{
		"a grant":    deleting(data.Selection{Resources: data.Refs(data.KindReservation, "g1")}),
		"a user":     deleting(data.Selection{Resources: data.Refs(data.KindGuest, "u1")}),
		"a space":    deleting(data.Selection{Resources: data.Refs(data.KindRoom, "r1")}),
		"a customer": deleting(data.Selection{CustomerKeys: []string{"a"}}),
		"a sync": func(ctx context.Context, ws *data.Workspace) error {
			_, err := ws.Sync(ctx, data.CustomerData{CustomerKey: "a"})
			return err
		},
	}
	backends.Each(t, func(t *testing.T, store storage.Store) {
		for name, end := range ends {
			for _, order := range []string{"before", "between", "after"} {
				for _, planned := range []bool{true, false} {
					if order == "between" && !planned {
						continue // the plan and the write are one transaction
					}
					message := fmt.Sprintf("%s, %s, planned %v", name, order, planned)
					h, ws, other := betweenPlanAndWrite(store)
					lockedHotel(t, other, "a")
					if !planned {
						ws = other
					}
					created := false
					switch order {
					case "before":
						require.NoError(t, writeCode(t.Context(), other, "g1"), message)
						created = true
					case "between":
						h.afterView = func() {
							require.NoError(t, writeCode(t.Context(), other, "g1"), message)
							created = true
						}
					}
					require.NoError(t, end(t.Context(), ws), message)
					if order == "after" {
						err := writeCode(t.Context(), other, "g1")
						require.True(t, errors.Is(err, devicedata.ErrNotFound) || errors.Is(err, data.ErrCustomerNotFound), "%s: %v", message, err)
					}
					require.Equal(t, order != "after", created, message)
					state := strings.Join(deviceState(t, other, "a"), "\n")
					require.Equal(t, created, strings.Contains(state, "removal of pin of g1 on l2: "), message)
					require.NotContains(t, state, "code g1 on l2", message)
					requireUndamaged(t, store)
					emptied(t, other, "a")
				}
			}
		}
	})
}

// TestPush_CodeWrittenAfterPlan_IsNotPlannedAgain writes a code between the plan and the write of a large push and of a large
// delete. Only the delete depends on it.
func TestPush_CodeWrittenAfterPlan_IsNotPlannedAgain(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		h, ws, other := betweenPlanAndWrite(store)
		lockedHotel(t, other, "a")
		plans := 0
		h.afterView = func() { require.NoError(t, writeCode(t.Context(), other, "g1")) }
		_, err := ws.PushWith(t.Context(), block("a", "x", 3), data.PushOptions{Guard: func(context.Context, *data.Snapshot, data.PushReport) error {
			plans++
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, 1, plans)
		plans = 0
		h.afterView = func() { require.NoError(t, writeCode(t.Context(), other, "g13")) }
		_, err = ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "g2")}, data.DeleteOptions{Guard: func(context.Context, *data.Snapshot, data.DeleteReport) error {
			plans++
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, 2, plans)
		plans = 0
		h.afterView = func() {
			require.NoError(t, withDevices(other, "a", t.Context(), func(ctx context.Context, tx data.CustomerTx) error {
				return devicedata.PutStates(ctx, tx, []devicedata.State{{DeviceID: lock("l1"), Value: []byte("unlocked")}})
			}))
		}
		_, err = ws.DeleteWith(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "g1")}, data.DeleteOptions{Guard: func(context.Context, *data.Snapshot, data.DeleteReport) error {
			plans++
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, 1, plans, "a state")
	})
}

// TestCreateCodes_ConcurrentWithDeletes_LosesNoRemoval creates codes and deletes their grants at the same time.
func TestCreateCodes_ConcurrentWithDeletes_LosesNoRemoval(t *testing.T) {
	t.Parallel()
	const grants = 5 // so that no operation conflicts more often than storage.Run repeats it
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		lockedHotel(t, ws, "a")
		for i := range grants {
			push(t, ws, "a", data.Reservation(fmt.Sprint("c", i), data.Ref{}, data.Refs(data.KindRoom, "r2")...))
		}
		deleted, created := make([]error, grants), make([]error, grants)
		var wg sync.WaitGroup
		for i := range grants {
			wg.Go(func() {
				_, deleted[i] = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, fmt.Sprint("c", i))})
			})
			wg.Go(func() { created[i] = writeCode(t.Context(), ws, fmt.Sprint("c", i)) })
		}
		wg.Wait()
		state := strings.Join(deviceState(t, ws, "a"), "\n")
		for i := range grants {
			require.NoError(t, deleted[i])
			if created[i] != nil {
				require.ErrorIs(t, created[i], devicedata.ErrNotFound)
			}
			require.NotContains(t, state, fmt.Sprintf("code c%d on", i))
			require.Equal(t, created[i] == nil, strings.Contains(state, fmt.Sprintf("removal of pin of c%d on", i)), i)
		}
		requireUndamaged(t, store)
	})
}

// TestRoundTrips_Devices_DoNotGrow counts the round trips of writes and deletes with few and many devices and codes.
func TestRoundTrips_Devices_DoNotGrow(t *testing.T) {
	t.Parallel()
	var trips [][]int64
	for _, n := range []int{2, 30} {
		store := &backends.Counted{Store: memory.New()}
		ws := workspace(store)
		d := block("a", "a", n)
		d.Add(data.CommonArea("hall", "Hall").In("asite"))
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		var counts []int64
		count := func(do func() error) {
			t.Helper()
			store.Reset()
			require.NoError(t, do())
			counts = append(counts, store.Trips.Load())
		}
		within := func(fn func(context.Context, data.CustomerTx) error) {
			t.Helper()
			count(func() error { return withDevices(ws, "a", t.Context(), fn) })
		}
		var devices []devicedata.Device
		var mappings []devicedata.DeviceMappings
		var states []devicedata.State
		var codes []devicedata.Code
		for i := range n {
			key := fmt.Sprintf("a%03d", i)
			devices = append(devices, devicedata.Device{ExternalID: key}, devicedata.Device{ExternalID: "door" + key})
			mappings = append(mappings, devicedata.DeviceMappings{DeviceID: lock(key), Mappings: []devicedata.Mapping{{SpaceKey: key}}},
				devicedata.DeviceMappings{DeviceID: lock("door" + key), Mappings: []devicedata.Mapping{{SpaceKey: "hall", Shared: true}}})
			states = append(states, devicedata.State{DeviceID: lock(key)})
			codes = append(codes, code(lock(key), key, 1), code(lock("door"+key), key, 1))
		}
		within(func(ctx context.Context, tx data.CustomerTx) error {
			return devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: numbered(1), Provider: "hub", ExternalID: "hub-1"})
		})
		within(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.PutDevices(ctx, tx, numbered(1), devices)
			return err
		})
		within(func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.SetMappings(ctx, tx, mappings)
			return err
		})
		within(func(ctx context.Context, tx data.CustomerTx) error { return devicedata.PutStates(ctx, tx, states) })
		within(func(ctx context.Context, tx data.CustomerTx) error { return devicedata.CreateCodes(ctx, tx, codes) })
		within(func(ctx context.Context, tx data.CustomerTx) error { return devicedata.UpdateCodes(ctx, tx, codes) })
		deleting := func(sel data.Selection, ended int) {
			t.Helper()
			count(func() error {
				report, err := ws.Delete(t.Context(), sel)
				require.Len(t, report.CodeRemovals, ended)
				return err
			})
		}
		deleting(data.Selection{Resources: data.Refs(data.KindReservation, "a000")}, 2)
		deleting(data.Selection{Resources: data.Refs(data.KindCommonArea, "hall")}, n-1)
		within(func(ctx context.Context, tx data.CustomerTx) error {
			for i := range mappings {
				mappings[i].Mappings = []devicedata.Mapping{{SpaceKey: "asite", Shared: true}}
			}
			_, err := devicedata.SetMappings(ctx, tx, mappings)
			return err
		})
		deleting(data.Selection{CustomerKeys: []string{"a"}}, n-1)
		trips = append(trips, counts)
		requireUndamaged(t, store)
	}
	t.Log(trips)
	require.Equal(t, trips[0], trips[1])
}
