package portal_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// TestView_WriteInBetween_IsNotSeen renames a room between two reads of one View.
func TestView_WriteInBetween_IsNotSeen(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		names := func(v *portal.View) (name, listed string) {
			room, _, err := v.Space(t.Context(), "101")
			require.NoError(t, err)
			page, err := v.Spaces(t.Context(), data.Query{Keys: []string{"101"}})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			return room.Name, page.Items[0].Name
		}
		var before string
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			before, _ = names(v)
			_, err := f.ws.Push(t.Context(), data.CustomerData{CustomerKey: "My Company", Spaces: []data.Space{data.Room("101", "Renamed")}})
			require.NoError(t, err)
			name, listed := names(v)
			require.Equal(t, []string{before, before}, []string{name, listed})
			return nil
		}))
		require.NotEqual(t, "Renamed", before)
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			name, listed := names(v)
			require.Equal(t, []string{"Renamed", "Renamed"}, []string{name, listed})
			return nil
		}))
	})
}

// TestView_UsedAfterItsFunctionReturned_ReturnsAnError calls all methods of Views that are not valid any more.
func TestView_UsedAfterItsFunctionReturned_ReturnsAnError(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		s, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
		require.NoError(t, err)
		var kept []*portal.View
		keep := func(v *portal.View) error {
			kept = append(kept, v)
			return nil
		}
		require.NoError(t, s.View(t.Context(), keep))
		require.ErrorIs(t, s.View(t.Context(), func(v *portal.View) error { return errors.Join(keep(v), errFull) }), errFull)
		_, err = f.portals.ViewSession(t.Context(), s.Token().Reveal(), func(_ *portal.Session, v *portal.View) error { return keep(v) })
		require.NoError(t, err)
		require.Panics(t, func() {
			_ = s.View(t.Context(), func(v *portal.View) error {
				_ = keep(v)
				panic("a bug")
			})
		})
		require.Len(t, kept, 4)
		for _, v := range kept {
			for m := range reflect.TypeFor[*portal.View]().Methods() {
				args := []reflect.Value{reflect.ValueOf(v)}
				for i := 1; i < m.Type.NumIn(); i++ {
					switch in := m.Type.In(i); in {
					case reflect.TypeFor[context.Context]():
						args = append(args, reflect.ValueOf(t.Context()))
					case reflect.TypeFor[data.Ref]():
						args = append(args, reflect.ValueOf(ref(data.KindRoom, "101")))
					default:
						args = append(args, reflect.Zero(in))
					}
				}
				out := m.Func.Call(args)
				err, _ := out[len(out)-1].Interface().(error)
				require.ErrorContains(t, err, "after its function had returned", m.Name)
				require.True(t, out[0].IsZero() || reflect.DeepEqual(out[0].Interface(), reflect.Zero(out[0].Type()).Interface()), m.Name)
			}
		}
	})
}

// errFull is an error that the function of a View returns.
var errFull = errors.New("the page is full")

// TestViewSession_OneState_FindsAndReads counts the transactions of ViewSession and checks its errors.
func TestViewSession_OneState_FindsAndReads(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	f := setup(t, store)
	p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
	s, err := f.portals.OpenSession(t.Context(), portal.Code(p.URL.Reveal()), "")
	require.NoError(t, err)
	token := s.Token().Reveal()
	view := func(fn func(*portal.Session, *portal.View) error) (*portal.Session, error) {
		store.Reset()
		return f.portals.ViewSession(t.Context(), token, fn)
	}
	found, err := view(func(of *portal.Session, v *portal.View) error {
		require.Equal(t, p.ID, of.Portal().ID)
		require.NoError(t, of.Can(portal.ActionReadSpaces))
		_, _, err := v.Space(t.Context(), "101")
		return err
	})
	require.NoError(t, err)
	require.Equal(t, p.ID, found.Portal().ID)
	require.EqualValues(t, 1, store.Views.Load())
	require.Zero(t, store.Updates.Load())

	f.clock.Set(f.clock.Now().Add(20 * time.Minute))
	found, err = view(func(*portal.Session, *portal.View) error { return errFull })
	require.ErrorIs(t, err, errFull)
	require.NotNil(t, found)
	require.EqualValues(t, 1, store.Views.Load())
	require.EqualValues(t, 1, store.Updates.Load(), "the use of the session is recorded")

	require.NoError(t, s.End(t.Context()))
	found, err = view(func(*portal.Session, *portal.View) error {
		require.Fail(t, "the session is over")
		return nil
	})
	require.ErrorIs(t, err, portal.ErrSessionEnded)
	require.Equal(t, p.ID, found.Portal().ID)
	require.Zero(t, store.Updates.Load())
	token = "made up"
	found, err = view(func(*portal.Session, *portal.View) error { return nil })
	require.ErrorIs(t, err, portal.ErrSessionUnknown)
	require.Nil(t, found)
	require.Zero(t, store.Views.Load())
}

func TestPlanDelete_GuestOrUnknownKey_IsAnError(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		_, err := one(s).PlanDelete(t.Context(), ref(data.KindGuest, "ada"))
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = one(s).PlanDelete(t.Context(), data.Ref{})
		require.ErrorIs(t, err, validation.ErrInvalid)
		for _, key := range []string{"", "no such", string([]byte{0xff})} {
			for _, kind := range []data.Kind{data.KindRoom, data.KindStaffMember, data.KindReservation} {
				_, err = one(s).PlanDelete(t.Context(), ref(kind, key))
				require.ErrorIs(t, err, data.ErrResourceNotFound, "%q", key)
			}
			_, err = s.DeleteSpace(t.Context(), key, portal.WriteOptions{})
			require.ErrorIs(t, err, data.ErrResourceNotFound, "%q", key)
		}
	})
}

// TestSessionWrite_Result_EqualsLaterRead compares the result of each write with a later read, in portals that show different
// parts of the estate. A write must use one Update and no View.
func TestSessionWrite_Result_EqualsLaterRead(t *testing.T) {
	t.Parallel()
	store := &backends.Counted{Store: memory.New()}
	f := setup(t, store)
	north := []portal.Filter{{Field: "region", Value: "north"}}
	withoutDetails := portal.Features{Manage: portal.ManageFeature{ExcludeReservationTechnicalDetails: true}}
	written := map[string]bool{}
	for name, c := range map[string]portal.Config{
		"all": {}, "filters": {Filters: north}, "without details": {Features: withoutDetails},
		"filters, without details": {Filters: north, Features: withoutDetails},
		"landing page":             {NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "town")},
		"landing page of a stay":   {NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindReservation, "rn1")},
		"deep link":                {DeepLink: ref(data.KindReservation, "rn2")},
	} {
		for method, write := range answered {
			s := f.session(t, c)
			_, err := f.ws.Sync(t.Context(), *estate())
			require.NoError(t, err)
			store.Reset()
			r, err := write(t.Context(), s)
			if errors.Is(err, portal.ErrRefused) || errors.Is(err, data.ErrResourceNotFound) || errors.Is(err, validation.ErrInvalid) {
				continue // this portal does not allow the write; another one does
			}
			require.NoError(t, err, "%s: %s", name, method)
			require.EqualValues(t, 1, store.Updates.Load(), "%s: %s", name, method)
			require.Zero(t, store.Views.Load(), "%s: %s", name, method)
			written[method] = true
			var read data.Resource
			require.NoError(t, s.View(t.Context(), func(v *portal.View) (err error) {
				switch ref := r.Ref(); {
				case ref.Kind == data.KindStaffMember:
					read, _, err = v.StaffMember(t.Context(), ref.Key)
				case ref.Kind.Class() == data.ClassSpace:
					read, _, err = v.Space(t.Context(), ref.Key)
				case ref.Kind.Class() == data.ClassUserIdentity:
					read, _, err = v.UserIdentity(t.Context(), ref.Key)
				default:
					read, _, err = v.AccessGrant(t.Context(), ref.Key)
				}
				return err
			}), "%s: %s", name, method)
			require.Equal(t, read, r, "%s: %s", name, method)
		}
	}
	require.Len(t, written, len(answered))
}
