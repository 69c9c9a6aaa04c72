package portal_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// labelled is a store of an incomparable type: the operator == panics.
type labelled struct {
	storage.Store
	labels map[string]string
	path   []string
}

// TestService_StoreOfIncomparableType_Works also checks that a workspace of another store is refused.
func TestService_StoreOfIncomparableType_Works(t *testing.T) {
	t.Parallel()
	store := labelled{memory.New(), map[string]string{"a": "b"}, []string{"a"}}
	f := setup(t, store)
	p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
	session, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	_, err = one(session).Spaces(t.Context(), data.Query{})
	require.NoError(t, err)
	require.NoError(t, f.portals.Revoke(t.Context(), f.ws, p.ID))

	for name, other := range map[string]storage.Store{
		"another store of this type": labelled{memory.New(), store.labels, store.path},
		"with other labels":          labelled{store.Store, map[string]string{"a": "b"}, store.path},
		"the store that it wraps":    store.Store,
		"another store":              memory.New(),
	} {
		ws := data.Open(other, data.Options{}).Workspace(uuid.New())
		_, err := f.portals.Create(t.Context(), ws, portal.CreateRequest{CustomerData: hotel()})
		require.ErrorIs(t, err, validation.ErrInvalid, name)
	}
}
