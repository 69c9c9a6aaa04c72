package proofs

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// linkedTenants is like newTenants, but the attacker has only a deep link to its lock, which is mapped to its room. Its customer also
// has a second lock there with an action attempt, and everything of its customer except the lock is among the identifiers to try.
func linkedTenants(t *testing.T, store storage.Store) *tenants {
	t.Helper()
	s := twoLocks(t, store, data.KindRoom)
	made, err := s.portals.Create(t.Context(), s.words[attacker], portal.CreateRequest{CustomerKey: customerOf(attacker), Config: deviceLink(deviceOf(attacker))})
	require.NoError(t, err)
	s.shows, s.pages = strings.NewReplacer("Lock "+attacker, "", "lock-"+attacker, "", customerOf(attacker), ""), linkedPages
	s.enter(t, made)
	return s
}

// twoLocks is like newTenants, but the attacker's customer has a lock that is mapped to its room, and a second lock with an action
// attempt that is mapped to the space of a kind. Everything of the customer except the first lock is among the identifiers to try.
func twoLocks(t *testing.T, store storage.Store, of data.Kind) *tenants {
	t.Helper()
	s := newTenants(t, store)
	ctx, ws := t.Context(), s.words[attacker]
	c, err := ws.Customer(ctx, customerOf(attacker))
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(ctx, ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		return only(devicedata.PutDevices(ctx, tx, accountOf(attacker), []devicedata.Device{
			{ExternalID: "second-" + attacker, Name: "Second " + attacker, Details: []byte(`{"can":["unlock"]}`)},
		}))
	}))
	second := devicedata.DeviceID(accountOf(attacker), "second-"+attacker)
	scope := s.portals.Access().Workspace(ws.ID()).Customer(customerOf(attacker))
	require.NoError(t, only(scope.Map(ctx,
		access.DeviceMapping{DeviceID: deviceOf(attacker), Mapping: access.Mapping{SpaceKey: keyOf(attacker, data.KindRoom)}},
		access.DeviceMapping{DeviceID: second, Mapping: access.Mapping{SpaceKey: keyOf(attacker, of)}},
	)))
	attempt, err := scope.Do(ctx, second, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
	require.NoError(t, err)

	owners := s.owners
	s.collect(t, attacker, s.ring, openPortal{s.link, s.session, nil})
	s.owners = owners // the attacker may send commands to its lock, which writes rows of its customer
	isLock := func(id string) bool { return id == deviceOf(attacker).String() }
	s.others = slices.DeleteFunc(s.others, func(of identifier) bool { // the word is a part of the name that the link shows
		return isLock(of.id) || of.id == "Lock "+attacker || of.id == attacker
	})
	s.secrets = slices.DeleteFunc(s.secrets, isLock)
	s.others = append(s.others,
		identifier{"second device id", second.String(), devicedata.DeviceID(accountOf(absentWord), "second-"+absentWord).String(), true},
		identifier{"second device name", "Second " + attacker, "Second " + absentWord, true},
		identifier{"action attempt id", attempt.ID.String(), devicedata.DeviceID(accountOf(absentWord), "attempt").String(), true},
		identifier{"own room key", keyOf(attacker, data.KindRoom), keyOf(absentWord, data.KindRoom), true},
	)
	s.secrets = append(s.secrets, second.String(), attempt.ID.String())
	return s
}

// enter opens the attacker's only link.
func (s *tenants) enter(t *testing.T, made portal.CustomerPortal) {
	t.Helper()
	var err error
	s.link, s.watched = made.URL.Reveal(), append(s.watched, attacker)
	s.session, err = s.portals.OpenSession(t.Context(), portal.Code(s.link), "")
	require.NoError(t, err)
	s.remember(t)
}

// requireOnlyShown checks that a response contains nothing of the attacker's customer except what its link shows.
func (s *tenants) requireOnlyShown(t *testing.T, by, answer string) {
	t.Helper()
	shown := s.shows.Replace(answer)
	if strings.Contains(shown, attacker) || slices.ContainsFunc(s.secrets, func(id string) bool { return strings.Contains(shown, id) }) {
		require.Fail(t, "the link shows more than it may", "%s: %s", by, answer)
	}
}

// linkedPages are the statuses of the pages that a deep link to a lock answers with other than 403, 404 and 405.
var linkedPages = map[string]string{
	"GET ": "303", "GET devices": "200", "GET devices/view": "200", "GET devices/command": "200", "POST devices/command": "303",
	"GET search": "200", "GET end": "200", "POST end": "(200|303)", "GET theme.css": "(200|404)",
}

// A session of a deep link to a device calls every method with every identifier of its own and of other customers in every place.
func TestIsolation_DeviceLinkSession_FindsOnlyTheDevice(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		stride := strideOf(6 * raceSlowness)
		if !strings.HasSuffix(t.Name(), "/memory") {
			stride = 97 * raceSlowness // badger is slower
		}
		s := linkedTenants(t, store)
		s.tryOwn(t)
		trySession(t, s, stride)
	})
}

// tryOwn calls every method with the attacker's own identifiers.
func (s *tenants) tryOwn(t *testing.T) {
	t.Helper()
	for name, cases := range ownCalls() {
		for i := range cases {
			answer := s.try(t, name, "no identifier", func() string { return callSession(t, s.session, name, "no identifier", ownCalls()[name][i]) })
			s.requireOnlyShown(t, name, answer)
		}
	}
}

// A browser with a deep link to a device requests every page with every identifier of its own and of other customers in every place.
func TestIsolation_DeviceLinkPages_ShowOnlyTheDevice(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		tryPages(t, linkedTenants(t, store))
	})
}
