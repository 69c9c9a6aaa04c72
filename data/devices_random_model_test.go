package data_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
)

// modelLock is a lock in a deviceModel.
type modelLock struct {
	account  uuid.UUID
	codes    bool
	mappings map[string]bool // by space key, whether the lock is shared
}

// modelCode is an access code in a deviceModel.
type modelCode struct {
	lock    uuid.UUID
	subject devicedata.Subject
}

// deviceModel has the devices, codes and removals that a store must have. It decides which codes end by looking at all codes and
// all exported resources, without the cascade.
type deviceModel struct {
	t       *testing.T
	rng     *rand.Rand
	ws      *data.Workspace
	step    string
	next    int // number of the next id
	account map[string]uuid.UUID
	locks   map[string]map[uuid.UUID]*modelLock
	codes   map[string]map[uuid.UUID]modelCode
	removed map[uuid.UUID]uuid.UUID // by code, the account
	pins    map[string]map[devicedata.Subject]bool
}

func (m *deviceModel) id() uuid.UUID {
	m.next++
	return numbered(m.next)
}

// key returns one of a few resource keys of a customer. No two customers have the same key.
func (m *deviceModel) key(customer, class string, n int) string {
	return fmt.Sprint(customer, class, m.rng.IntN(n))
}

// resources returns the spaces and the subjects of codes of a customer by key.
func (m *deviceModel) resources(customer string) (spaces map[string]data.Space, subjects map[devicedata.Subject][]data.Ref) {
	spaces, subjects = map[string]data.Space{}, map[devicedata.Subject][]data.Ref{}
	d, err := m.ws.Export(m.t.Context(), customer)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return spaces, subjects
	}
	require.NoError(m.t, err, m.step)
	for _, s := range d.Spaces {
		spaces[s.Key] = s
	}
	for _, u := range d.UserIdentities {
		if u.Kind == data.KindStaffMember {
			subjects[devicedata.StaffSubject(u.Key)] = u.Spaces
		}
	}
	for _, g := range d.AccessGrants {
		subjects[devicedata.GrantSubject(g.Key)] = g.Spaces
	}
	return spaces, subjects
}

// unreached returns the codes of a customer whose subjects do not reach their locks, and whether the subject still exists.
func (m *deviceModel) unreached(customer string) map[uuid.UUID]bool {
	spaces, subjects := m.resources(customer)
	out := map[uuid.UUID]bool{}
	for id, c := range m.codes[customer] {
		named, exists := subjects[c.subject]
		if !exists || !opens(named, m.locks[customer][c.lock], spaces) {
			out[id] = exists
		}
	}
	return out
}

// opens reports whether somebody with these spaces opens a lock.
func opens(named []data.Ref, lock *modelLock, spaces map[string]data.Space) bool {
	siteOf := func(key string) string {
		if spaces[key].Kind == data.KindSite {
			return key
		}
		return spaces[key].ParentSiteKey // empty if there is no such space
	}
	for _, ref := range named {
		if _, mapped := lock.mappings[ref.Key]; mapped {
			return true
		}
		for space, shared := range lock.mappings {
			if shared && siteOf(ref.Key) != "" && siteOf(ref.Key) == siteOf(space) {
				return true
			}
		}
	}
	return false
}

// counted returns the number of locks with access codes of each space. The number of all such locks has an empty key.
func (m *deviceModel) counted(customer string) map[string]int {
	out := map[string]int{}
	for _, l := range m.locks[customer] {
		if l.codes {
			out[""]++
			for space := range l.mappings {
				out[space]++
			}
		}
	}
	return out
}

// withoutLock returns the number of access grants in the data for which a push warns that they have no lock.
func (m *deviceModel) withoutLock(d data.CustomerData) (n int) {
	counted := m.counted(d.CustomerKey)
	for _, g := range d.AccessGrants {
		if counted[""] > 0 && !slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return counted[ref.Key] > 0 }) {
			n++
		}
	}
	return n
}

// end removes codes from the model, whose removals must be scheduled.
func (m *deviceModel) end(customer string, ids ...uuid.UUID) {
	for _, id := range ids {
		m.removed[id] = m.locks[customer][m.codes[customer][id].lock].account
		delete(m.codes[customer], id)
	}
}

// deleted updates the model after an operation that has deleted resources. If exact, the operation must have ended exactly the
// codes that do not reach their locks; otherwise at least those without a subject, and the model ends the others, as package
// access does.
func (m *deviceModel) deleted(customer string, unmapped []data.Unmapped, removals []data.CodeRemoval, exact bool) {
	spaces, _ := m.resources(customer)
	count := 0
	for _, l := range m.locks[customer] {
		for space := range l.mappings {
			if _, exists := spaces[space]; !exists {
				delete(l.mappings, space)
				count++
			}
		}
	}
	require.Len(m.t, unmapped, count, m.step)
	want := m.unreached(customer)
	ended := map[uuid.UUID]bool{}
	for _, r := range removals {
		require.Contains(m.t, want, r.CodeID, m.step)
		require.Equal(m.t, m.codes[customer][r.CodeID].lock, r.DeviceID, m.step)
		ended[r.CodeID] = true
	}
	for id, exists := range want {
		require.True(m.t, ended[id] || exists && !exact, "%s: the code %s has no removal", m.step, id)
	}
	m.end(customer, slices.Collect(maps.Keys(ended))...)
	m.reconcile(customer)
}

// compare compares the locks and codes of a customer with the model.
func (m *deviceModel) compare(customer string) {
	locks, codes := map[uuid.UUID]*modelLock{}, map[uuid.UUID]modelCode{}
	pins, entrances := map[devicedata.Subject]bool{}, map[uuid.UUID]bool{}
	require.NoError(m.t, m.ws.View(m.t.Context(), func(s *data.Snapshot) error {
		c, err := s.Customer(m.t.Context(), customer)
		if errors.Is(err, data.ErrCustomerNotFound) {
			return nil
		}
		require.NoError(m.t, err)
		for d, err := range devicedata.Devices(m.t.Context(), s, devicedata.IDOf(c), uuid.Nil) {
			require.NoError(m.t, err)
			l := &modelLock{account: d.AccountID, codes: d.Codes, mappings: map[string]bool{}}
			for _, mapping := range d.Mappings {
				l.mappings[mapping.SpaceKey] = mapping.Shared
			}
			locks[d.ID] = l
		}
		for c, err := range devicedata.Codes(m.t.Context(), s, devicedata.IDOf(c)) {
			require.NoError(m.t, err)
			codes[c.ID] = modelCode{c.DeviceID, c.Subject}
		}
		for pin, err := range devicedata.SubjectPINs(m.t.Context(), s, devicedata.IDOf(c)) {
			require.NoError(m.t, err)
			require.Equal(m.t, pin.Subject.Key, string(pin.Sealed), m.step)
			pins[pin.Subject] = true
		}
		for d, err := range devicedata.Entrances(m.t.Context(), s, devicedata.IDOf(c)) {
			require.NoError(m.t, err)
			entrances[d.ID] = true
		}
		return nil
	}))
	require.Len(m.t, locks, len(m.locks[customer]), m.step)
	for id, l := range locks {
		require.Equal(m.t, m.locks[customer][id], l, m.step)
	}
	if len(locks) > 0 {
		require.Equal(m.t, m.counted(customer), storedLocks(m.t, m.ws, customer), m.step)
	}
	_, subjects := m.resources(customer)
	for subject := range m.pins[customer] {
		if _, exists := subjects[subject]; !exists {
			delete(m.pins[customer], subject)
		}
	}
	require.Equal(m.t, m.pins[customer], pins, "%s: the PINs of subjects that exist", m.step)
	for id, l := range m.locks[customer] {
		require.Equal(m.t, slices.Contains(slices.Collect(maps.Values(l.mappings)), true), entrances[id], m.step)
	}
	require.Len(m.t, codes, len(m.codes[customer]), m.step)
	for id, c := range codes {
		require.Equal(m.t, m.codes[customer][id], c, m.step)
	}
}

// compareDue compares the codes and removals that are due with the model. All of them are.
func (m *deviceModel) compareDue() {
	want := map[uuid.UUID]bool{} // by code, whether it is a removal
	accounts := map[uuid.UUID]bool{}
	for customer, codes := range m.codes {
		for id := range codes {
			want[id], accounts[m.account[customer]] = false, true
		}
	}
	for id, account := range m.removed {
		want[id], accounts[account] = true, true
	}
	got := map[uuid.UUID]bool{}
	require.NoError(m.t, devicedata.View(m.t.Context(), m.ws.DB(), func(r storage.Reader) error {
		for account := range accounts {
			var last time.Time
			for due, err := range devicedata.DueCodes(m.t.Context(), r, account, 1000) {
				require.NoError(m.t, err)
				require.False(m.t, due.At.Before(last), "%s: the order of time", m.step)
				got[due.Code], last = due.Removal, due.At
			}
		}
		return nil
	}))
	require.Equal(m.t, want, got, m.step)
}

// compareRemovals compares the removals with the model.
func (m *deviceModel) compareRemovals() {
	got := map[uuid.UUID]uuid.UUID{}
	require.NoError(m.t, m.ws.View(m.t.Context(), func(s *data.Snapshot) error {
		for r, err := range devicedata.Removals(m.t.Context(), s.Reader()) {
			require.NoError(m.t, err)
			got[r.CodeID] = r.AccountID
		}
		for _, account := range got {
			a, err := devicedata.FindRemovalAccount(m.t.Context(), s.Reader(), account)
			require.NoError(m.t, err)
			require.Equal(m.t, account[:], a.SealedSecret)
		}
		return nil
	}))
	require.Equal(m.t, m.removed, got, m.step)
}
