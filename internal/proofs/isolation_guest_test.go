package proofs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
)

// guestTenants is like newTenants, but the attacker has only a guest link to its reservation, which opens its lock. Everything of its
// customer except the stay and the lock is among the identifiers to try, also a second lock of another space with an action attempt.
func guestTenants(t *testing.T, store storage.Store) *tenants {
	t.Helper()
	s := twoLocks(t, store, data.KindUnit)
	made, err := s.portals.CreateGuestLink(t.Context(), s.words[attacker], customerOf(attacker), keyOf(attacker, data.KindReservation))
	require.NoError(t, err)
	texts := []string{customerOf(attacker), "Lock " + attacker}
	for _, kind := range []data.Kind{data.KindReservation, data.KindGuest, data.KindRoom, data.KindSite} {
		texts = append(texts, "Name "+kind.String()+" "+attacker)
	}
	var pairs []string
	for _, text := range texts {
		pairs = append(pairs, text, "")
	}
	s.shows, s.pages = strings.NewReplacer(pairs...), guestPages
	s.enter(t, made)
	return s
}

// guestPages are the statuses of the pages that a guest link answers with other than 403, 404 and 405.
var guestPages = map[string]string{
	"GET ": "303", "GET stay": "200", "GET stay/unlock": "303", "POST stay/unlock": "303", "GET search": "200", "GET end": "200", "POST end": "(200|303)",
	"GET theme.css": "(200|404)",
}

// A session of a guest link calls every method with every identifier of its own and of other customers in every place.
func TestIsolation_GuestLinkSession_FindsOnlyTheStay(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		stride := strideOf(6 * raceSlowness)
		if !strings.HasSuffix(t.Name(), "/memory") {
			stride = 97 * raceSlowness // badger is slower
		}
		s := guestTenants(t, store)
		s.tryOwn(t)
		trySession(t, s, stride)
	})
}

// A browser with a guest link requests every page with every identifier of its own and of other customers in every place.
func TestIsolation_GuestLinkPages_ShowOnlyTheStay(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		tryPages(t, guestTenants(t, store))
	})
}
