package portal_test

import (
	"context"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// single reads with a session, each call in a View of its own.
type single struct{ s *portal.Session }

func one(s *portal.Session) single { return single{s} }

// viewed returns what fn reads in a View.
func viewed[T any](ctx context.Context, r single, fn func(*portal.View) (T, error)) (out T, err error) {
	err = r.s.View(ctx, func(v *portal.View) error {
		out, err = fn(v)
		return err
	})
	return out, err
}

// found is viewed for a resource with what it refers to.
func found[T any](ctx context.Context, r single, fn func(*portal.View) (T, portal.Related, error)) (out T, related portal.Related, err error) {
	err = r.s.View(ctx, func(v *portal.View) error {
		out, related, err = fn(v)
		return err
	})
	return out, related, err
}

func (r single) Counts(ctx context.Context) (map[data.Kind]int, error) {
	return viewed(ctx, r, (*portal.View).Counts)
}

func (r single) LandingPage(ctx context.Context) (data.Ref, error) {
	return viewed(ctx, r, func(v *portal.View) (data.Ref, error) { return v.LandingPage(ctx) })
}

func (r single) Appearance(ctx context.Context, wanted string) (portal.Appearance, error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Appearance, error) { return v.Appearance(ctx, wanted) })
}

func (r single) History(ctx context.Context, key string, limit int) ([]data.FeedChange, error) {
	return viewed(ctx, r, func(v *portal.View) ([]data.FeedChange, error) { return v.History(ctx, key, limit) })
}

func (r single) PlanDelete(ctx context.Context, ref data.Ref) (data.DeleteReport, error) {
	return viewed(ctx, r, func(v *portal.View) (data.DeleteReport, error) { return v.PlanDelete(ctx, ref) })
}

func (r single) Space(ctx context.Context, key string) (data.Space, portal.Related, error) {
	return found(ctx, r, func(v *portal.View) (data.Space, portal.Related, error) { return v.Space(ctx, key) })
}

func (r single) UserIdentity(ctx context.Context, key string) (data.UserIdentity, portal.Related, error) {
	return found(ctx, r, func(v *portal.View) (data.UserIdentity, portal.Related, error) { return v.UserIdentity(ctx, key) })
}

func (r single) StaffMember(ctx context.Context, key string) (data.UserIdentity, portal.Related, error) {
	return found(ctx, r, func(v *portal.View) (data.UserIdentity, portal.Related, error) { return v.StaffMember(ctx, key) })
}

func (r single) AccessGrant(ctx context.Context, key string) (data.AccessGrant, portal.Related, error) {
	return found(ctx, r, func(v *portal.View) (data.AccessGrant, portal.Related, error) { return v.AccessGrant(ctx, key) })
}

func (r single) Spaces(ctx context.Context, q data.Query) (portal.Page[data.Space], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.Space], error) { return v.Spaces(ctx, q) })
}

func (r single) UserIdentities(ctx context.Context, q data.Query) (portal.Page[data.UserIdentity], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.UserIdentity], error) { return v.UserIdentities(ctx, q) })
}

func (r single) StaffMembers(ctx context.Context, q data.Query) (portal.Page[data.UserIdentity], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.UserIdentity], error) { return v.StaffMembers(ctx, q) })
}

func (r single) AccessGrants(ctx context.Context, q data.Query) (portal.Page[data.AccessGrant], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.AccessGrant], error) { return v.AccessGrants(ctx, q) })
}

func (r single) AccessGrantsByPlace(ctx context.Context, q data.Query, keep func(data.AccessGrant, portal.Place) bool) (portal.Page[data.AccessGrant], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[data.AccessGrant], error) {
		return v.AccessGrantsByPlace(ctx, q, keep)
	})
}
