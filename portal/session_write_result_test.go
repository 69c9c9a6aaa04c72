package portal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// answered contains the writes of a session that return a resource. In a portal of the estate that shows everything, each of them
// changes the resource.
var answered = map[string]func(ctx context.Context, s *portal.Session) (data.Resource, error){
	"CreateAccessGrant": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.CreateAccessGrant(ctx, portal.AccessGrantRequest{
			Grant: data.AccessGrant{
				Kind: data.KindReservation, Name: "Answer", StartsAt: start, EndsAt: start.Add(48 * 3600e9), Spaces: data.Refs(data.KindPropertyListing, "n1"),
			},
			NewUser: &data.UserIdentity{Name: "Grace", EmailAddress: "grace@mail.example"},
		}, portal.WriteOptions{})
	},
	"EditAccessGrant": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.EditAccessGrant(ctx, data.AccessGrant{Key: "rn1", Name: "Answer", PreferredCode: "4711"}, portal.WriteOptions{})
	},
	"EditAccessGrant, user and spaces": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.EditAccessGrant(ctx, data.AccessGrant{Key: "rn2", Name: "Answer", User: ref(data.KindGuest, "ada"), Spaces: data.Refs(data.KindPropertyListing, "n2")}, portal.WriteOptions{})
	},
	"AddStaffMember": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.AddStaffMember(ctx, data.UserIdentity{Name: "Answer", Spaces: data.Refs(data.KindPropertyListing, "n1", "n2")}, portal.WriteOptions{})
	},
	"EditStaffMember": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.EditStaffMember(ctx, data.UserIdentity{Key: "kim", Name: "Answer"}, portal.WriteOptions{})
	},
	"AssignStaffMember": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.AssignStaffMember(ctx, data.UserIdentity{Key: "kim", Spaces: data.Refs(data.KindPropertyListing, "n2")}, portal.WriteOptions{})
	},
	"EditUserIdentity": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.EditUserIdentity(ctx, data.UserIdentity{Key: "ada", Name: "Answer"}, portal.WriteOptions{})
	},
	"CreateSpace": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.CreateSpace(ctx, data.Space{Kind: data.KindRoom, Name: "Answer", ParentSiteKey: "town"}, portal.WriteOptions{})
	},
	"RenameSpace": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.RenameSpace(ctx, "101", "Answer", portal.WriteOptions{})
	},
	"MoveSpace": func(ctx context.Context, s *portal.Session) (data.Resource, error) {
		return s.MoveSpace(ctx, "101", "", portal.WriteOptions{})
	},
}

// downAfterUpdate is a store whose View fails after the first commit of an Update while armed is true.
type downAfterUpdate struct {
	storage.Store
	armed, down atomic.Bool
}

var errDown = errors.New("the store is down")

func (s *downAfterUpdate) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	err := s.Store.Update(ctx, fn, reads...)
	if err == nil && s.armed.Load() {
		s.down.Store(true)
	}
	return err
}

func (s *downAfterUpdate) View(ctx context.Context, fn func(storage.Reader) error) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.View(ctx, fn)
}

// TestSessionWrite_StoreFailsAfterTheCommit_ReturnsTheResource checks that a write returns no error after its commit: a caller
// that gets an error may repeat the write and create a second resource.
func TestSessionWrite_StoreFailsAfterTheCommit_ReturnsTheResource(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, inner storage.Store) {
		store := &downAfterUpdate{Store: inner}
		f := setup(t, store)
		for name, write := range answered {
			s := f.session(t, portal.Config{})
			store.armed.Store(true)
			r, err := write(t.Context(), s)
			require.NoError(t, err, name)
			require.True(t, store.down.Load(), "%s committed nothing", name)
			store.armed.Store(false)
			store.down.Store(false)
			var stored data.Resource
			switch r.Ref().Kind.Class() {
			case data.ClassSpace:
				stored, err = f.ws.Space(t.Context(), r.Ref().Key)
			case data.ClassUserIdentity:
				stored, err = f.ws.UserIdentity(t.Context(), r.Ref().Key)
			default:
				stored, err = f.ws.AccessGrant(t.Context(), r.Ref().Key)
			}
			require.NoError(t, err, name)
			require.Equal(t, stored, r, name)
		}
	})
}
