package data_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestDevices_RandomOperations_MatchModel performs random operations on two customers with locks and codes, and compares the
// store with a model after each one.
func TestDevices_RandomOperations_MatchModel(t *testing.T) {
	t.Parallel()
	for _, snapshots := range []bool{false, true} {
		t.Run(fmt.Sprint("planned on snapshots ", snapshots), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			ws := workspace(memory.New())
			if snapshots {
				ws.PlanOnSnapshots()
			}
			m := &deviceModel{
				t: t, rng: rand.New(rand.NewPCG(seed, 0)), ws: ws, account: map[string]uuid.UUID{}, locks: map[string]map[uuid.UUID]*modelLock{},
				codes: map[string]map[uuid.UUID]modelCode{}, removed: map[uuid.UUID]uuid.UUID{},
				pins: map[string]map[devicedata.Subject]bool{"a": {}, "b": {}},
			}
			for i := range testsize.Pick(60, 150, 1500) / raceSlowness {
				customer := []string{"a", "b"}[m.rng.IntN(2)]
				m.step = fmt.Sprintf("seed %d, step %d, customer %s: ", seed, i, customer)
				m.perform(customer)
				m.compare("a")
				m.compare("b")
				m.compareRemovals()
				m.compareDue()
				requireUndamaged(t, ws.DB().Store())
			}
			_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
			emptied(t, ws, "b")
		})
	}
}

// reconcile ends the codes that do not reach their locks, as package access does after a push.
func (m *deviceModel) reconcile(customer string) {
	ids := slices.Collect(maps.Keys(m.unreached(customer)))
	if len(ids) == 0 {
		return
	}
	var keys []devicedata.CodeKey
	for _, id := range ids {
		keys = append(keys, devicedata.CodeKey{Device: m.codes[customer][id].lock, Code: id})
	}
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
		_, err := devicedata.EndCodes(ctx, tx, keys, devicedata.ReasonEnded)
		return err
	})
	m.end(customer, ids...)
}

func (m *deviceModel) sortedLocks(customer string) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(m.locks[customer]), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}

func (m *deviceModel) within(customer string, fn func(context.Context, data.CustomerTx) error) {
	require.NoError(m.t, withDevices(m.ws, customer, m.t.Context(), fn), m.step)
}

// random returns random data of a customer.
func (m *deviceModel) random(customer string) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	seen := map[string]bool{}
	for range 1 + m.rng.IntN(4) {
		key := m.key(customer, "space", 6)
		kind := []data.Kind{data.KindRoom, data.KindRoom, data.KindCommonArea, data.KindSite}[m.rng.IntN(4)]
		if seen[key] {
			continue
		}
		seen[key] = true
		s := data.Space{Kind: kind, Key: key, Name: "Space"}
		if parent := m.key(customer, "space", 6); kind != data.KindSite && parent != key {
			s.ParentSiteKey = parent
		}
		d.Spaces = append(d.Spaces, s)
	}
	for range 1 + m.rng.IntN(3) {
		key := m.key(customer, "subject", 5)
		if seen[key] {
			continue
		}
		seen[key] = true
		refs := data.Refs(data.KindRoom, m.key(customer, "space", 6))
		if more := m.key(customer, "space", 6); more != refs[0].Key {
			refs = append(refs, data.Ref{Kind: data.KindRoom, Key: more})
		}
		if m.rng.IntN(4) == 0 {
			d.UserIdentities = append(d.UserIdentities, data.StaffMember(key, "Staff", refs...))
			continue
		}
		d.AccessGrants = append(d.AccessGrants, data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: customer + "guest"}, refs...))
	}
	d.UserIdentities = append(d.UserIdentities, data.Guest(customer+"guest", "Guest"))
	return d
}

// perform performs a random operation.
func (m *deviceModel) perform(customer string) {
	ctx := m.t.Context()
	if m.account[customer] == uuid.Nil {
		m.connect(customer)
		return
	}
	locks := m.sortedLocks(customer)
	switch n := m.rng.IntN(100); {
	case n < 20:
		m.step += "push"
		d := m.random(customer)
		if report, err := m.ws.Push(ctx, d); !errors.Is(err, data.ErrKeyConflict) { // another kind
			require.NoError(m.t, err, m.step)
			require.Len(m.t, noLock(report.Warnings), m.withoutLock(d), m.step)
		}
		m.reconcile(customer)
	case n < 30:
		m.step += "sync"
		d := m.random(customer)
		want := m.withoutLock(d) // before the sync deletes spaces
		report, err := m.ws.Sync(ctx, d)
		require.NoError(m.t, err, m.step)
		require.Len(m.t, noLock(report.Warnings), want, m.step)
		m.deleted(customer, report.Unmapped, report.CodeRemovals, false)
	case n < 50:
		refs := []data.Ref{
			{Kind: data.KindSpace, Key: m.key(customer, "space", 6)}, {Kind: data.KindAccessGrant, Key: m.key(customer, "subject", 5)}, {Kind: data.KindUserIdentity, Key: m.key(customer, "subject", 5)},
			{Kind: data.KindUserIdentity, Key: customer + "guest"},
		}
		m.rng.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
		refs = refs[:1+m.rng.IntN(2)]
		m.step += fmt.Sprint("delete of ", refs)
		report, err := m.ws.Delete(ctx, data.Selection{Resources: refs})
		require.NoError(m.t, err, m.step)
		m.deleted(customer, report.Unmapped, report.CodeRemovals, true)
	case n < 52:
		m.step += "delete of the customer"
		report, err := m.ws.Delete(ctx, data.Selection{CustomerKeys: []string{customer}})
		require.NoError(m.t, err, m.step)
		require.Len(m.t, report.CodeRemovals, len(m.codes[customer]), m.step)
		m.end(customer, slices.Collect(maps.Keys(m.codes[customer]))...)
		m.locks[customer], m.account[customer] = nil, uuid.Nil
		if m.rng.IntN(2) == 0 {
			_, err := m.ws.DB().Sweep(ctx)
			require.NoError(m.t, err, m.step)
		}
	case n < 54:
		m.step += "delete of the account"
		m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteAccount(ctx, tx, m.account[customer])
			return err
		})
		m.end(customer, slices.Collect(maps.Keys(m.codes[customer]))...)
		m.locks[customer], m.account[customer] = nil, uuid.Nil
	case n < 58 && len(locks) > 0:
		id := locks[m.rng.IntN(len(locks))]
		m.step += "delete of a lock"
		m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
			_, err := devicedata.DeleteDevices(ctx, tx, id)
			return err
		})
		for code, c := range m.codes[customer] {
			if c.lock == id {
				m.end(customer, code)
			}
		}
		delete(m.locks[customer], id)
	case n < 70 && len(locks) > 0:
		m.step += "mapping"
		m.remap(customer, locks[m.rng.IntN(len(locks))])
	case n < 75:
		m.step += "dropping the removals"
		require.Equal(m.t, len(m.removed), dropRemovals(m.t, m.ws), m.step)
		clear(m.removed)
	case n < 80:
		m.step += "inventory"
		m.inventory(customer)
	case n < 85:
		m.step += "times of codes"
		m.reschedule(customer)
	default:
		m.step += "codes"
		m.create(customer)
	}
}

// connect connects an account with locks.
func (m *deviceModel) connect(customer string) {
	m.step += "connect"
	_, err := m.ws.Push(m.t.Context(), data.CustomerData{CustomerKey: customer})
	require.NoError(m.t, err, m.step)
	id := m.id()
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
		return devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: id, Provider: "hub", ExternalID: "shared hub", SealedSecret: id[:]})
	})
	m.account[customer], m.locks[customer], m.codes[customer] = id, map[uuid.UUID]*modelLock{}, map[uuid.UUID]modelCode{}
	m.inventory(customer)
}

// inventory finds the locks of the account.
func (m *deviceModel) inventory(customer string) {
	var devices []devicedata.Device
	for i := range 4 {
		d := devicedata.Device{ExternalID: fmt.Sprint("lock ", i), Codes: m.rng.IntN(3) > 0}
		devices = append(devices, d)
		id := devicedata.DeviceID(m.account[customer], d.ExternalID)
		if m.locks[customer][id] == nil {
			m.locks[customer][id] = &modelLock{account: m.account[customer], mappings: map[string]bool{}}
		}
		m.locks[customer][id].codes = d.Codes
	}
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
		_, err := devicedata.PutDevices(ctx, tx, m.account[customer], devices)
		return err
	})
}

// remap maps a lock to random spaces.
func (m *deviceModel) remap(customer string, lock uuid.UUID) {
	spaces, _ := m.resources(customer)
	l := m.locks[customer][lock]
	clear(l.mappings)
	var mappings []devicedata.Mapping
	for _, key := range slices.Sorted(maps.Keys(spaces)) {
		if m.rng.IntN(3) == 0 {
			l.mappings[key] = m.rng.IntN(2) == 0
			mappings = append(mappings, devicedata.Mapping{SpaceKey: key, Shared: l.mappings[key]})
		}
	}
	var removals []data.CodeRemoval
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) (err error) {
		removals, err = devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock, Mappings: mappings}})
		return err
	})
	m.deleted(customer, nil, removals, true)
}

// create creates codes for everybody who reaches a lock and has no code for it.
func (m *deviceModel) create(customer string) {
	spaces, subjects := m.resources(customer)
	has := map[modelCode]bool{}
	for _, c := range m.codes[customer] {
		has[c] = true
	}
	var codes []devicedata.Code
	order := slices.SortedFunc(maps.Keys(subjects), func(a, b devicedata.Subject) int { return strings.Compare(a.Key, b.Key) })
	for _, subject := range order {
		for _, id := range m.sortedLocks(customer) {
			if c := (modelCode{id, subject}); !has[c] && opens(subjects[subject], m.locks[customer][id], spaces) {
				code := devicedata.Code{DeviceID: id, ID: m.id(), Subject: subject, DueAt: m.time()}
				codes = append(codes, code)
				m.codes[customer][code.ID] = c
			}
		}
	}
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
		for _, subject := range order {
			if err := devicedata.SetSubjectPIN(ctx, tx, subject, []byte(subject.Key)); err != nil {
				return err
			}
			m.pins[customer][subject] = true
		}
		return devicedata.CreateCodes(ctx, tx, codes)
	})
}

// reschedule changes the times at which codes are due.
func (m *deviceModel) reschedule(customer string) {
	m.within(customer, func(ctx context.Context, tx data.CustomerTx) error {
		var codes []devicedata.Code
		for c, err := range devicedata.Codes(ctx, tx.Snapshot, devicedata.IDOf(tx.Customer)) {
			if err != nil {
				return err
			}
			if m.rng.IntN(2) == 0 {
				c.DueAt = m.time()
				codes = append(codes, *c)
			}
		}
		return devicedata.UpdateCodes(ctx, tx, codes)
	})
}

func (m *deviceModel) time() time.Time {
	return clockStart.Add(time.Duration(m.rng.IntN(1000)) * time.Minute)
}
