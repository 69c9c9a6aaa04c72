package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// cancelingStore is a store that calls cancel before each transaction.
type cancelingStore struct {
	storage.Store
	cancel func()
}

func (s *cancelingStore) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.cancel()
	return s.Store.View(ctx, fn)
}

func (s *cancelingStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	s.cancel()
	return s.Store.Update(ctx, fn, reads...)
}

// TestRequest_ClientDisconnects_WritesNothing cancels the context of a request before its first transaction.
func TestRequest_ClientDisconnects_WritesNothing(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFixture(t, &cancelingStore{store, cancel})
		r := newRequest(ctx, http.MethodPost, "/customers/push_data", strings.NewReader(everyKind(t)))
		out := f.serve(t, r)
		require.Equal(t, 499, out.status)
		require.Contains(t, f.log.String(), `"error_type":"request_canceled"`)
		require.Empty(t, storeRows(t, store))
	})
}

// TestStore_Closed_IsServiceUnavailable sends a request to a server that is shutting down.
func TestStore_Closed_IsServiceUnavailable(t *testing.T) {
	t.Parallel()
	store := memory.New()
	f := newFixture(t, store)
	require.NoError(t, store.Close())
	f.expectError(t, http.StatusServiceUnavailable, "service_unavailable", http.MethodPost, "/customers/push_data", everyKind(t))
}

// TestStore_OutcomeOfACommitUnknown_IsReported makes the store unable to determine the outcome of a commit.
func TestStore_OutcomeOfACommitUnknown_IsReported(t *testing.T) {
	t.Parallel()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := newFixture(t, backends.NewFault(store, backends.Fault{
		Of: backends.Commits, Always: true, Err: func() error { return fmt.Errorf("%w: %w", storage.ErrUnknown, context.DeadlineExceeded) },
	}))
	f.expectError(t, http.StatusServiceUnavailable, "outcome_unknown", http.MethodPost, "/customers/push_data", everyKind(t))
}

// failingStore is a store whose transactions fail.
type failingStore struct{ storage.Store }

func (failingStore) View(context.Context, func(storage.Reader) error) error {
	return errors.New("disk /dev/secret is on fire")
}

func (failingStore) Update(context.Context, func(storage.Tx) error, ...[]byte) error {
	return errors.New("disk /dev/secret is on fire")
}

// TestStore_Fails_ErrorIsLoggedButNotInTheResponse calls every operation on a store that fails.
func TestStore_Fails_ErrorIsLoggedButNotInTheResponse(t *testing.T) {
	t.Parallel()
	store := memory.New()
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f := newFixture(t, failingStore{store})
	failed := 0
	for _, op := range operations() {
		out := f.sendProbe(t, keyA, op, f.membersOfOperation(t, op, object{
			"customer_key": "c", "reservation_key": "r", "space_key": "s", "user_identity_key": "u", "access_grant_key": "a", "room_keys": []string{"r"},
			"customer_portal_id": "00000000-0000-4000-8000-000000000000", "customization_profile_id": "00000000-0000-4000-8000-000000000000", "portal_configuration": object{},
		}))
		require.NotContains(t, out.raw, "fire")
		require.NotContains(t, out.raw, "secret")
		if out.status == http.StatusInternalServerError {
			require.Equal(t, "Internal server error", out.at("error", "message"))
			failed++
		}
	}
	require.Greater(t, failed, 40)
	require.Contains(t, f.log.String(), "on fire")
}

// TestPanic_InARequest_IsAnInternalServerError checks that the handler recovers and that the value of the panic is not logged. It
// passes http.ErrAbortHandler on to the server.
func TestPanic_InARequest_IsAnInternalServerError(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) { panic("the secret of a panic") }
	})
	out := f.expectError(t, http.StatusInternalServerError, "internal_server_error", http.MethodPost, "/spaces/list", "{}")
	require.NotContains(t, out.raw, "panic")
	require.Contains(t, f.log.String(), "panic in the API")
	require.NotContains(t, f.log.String(), "the secret of a panic")

	aborts := newMemoryFixture(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) { panic(http.ErrAbortHandler) }
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		aborts.send(t, keyA, http.MethodPost, "/spaces/list", "{}")
	})
}

// TestAuthenticate_FailureOfTheHost_IsAnInternalServerError returns an error that does not match ErrUnauthorized from
// Authenticate.
func TestAuthenticate_FailureOfTheHost_IsAnInternalServerError(t *testing.T) {
	t.Parallel()
	f := newMemoryFixture(t, func(o *httpapi.Options) {
		o.Authenticate = func(*http.Request) (uuid.UUID, error) {
			return uuid.Nil, fmt.Errorf("the database of keys is down: %w", data.ErrCustomerNotFound)
		}
	})
	out := f.expectError(t, http.StatusInternalServerError, "internal_server_error", http.MethodPost, "/spaces/list", "{}")
	require.NotContains(t, out.raw, "database")
	require.Contains(t, f.log.String(), "the database of keys is down")
}
