package data

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/storage"
)

// View calls fn with a snapshot of one consistent state of the workspace. The snapshot is valid until fn returns. View
// returns fn's error unchanged.
func (w *Workspace) View(ctx context.Context, fn func(*Snapshot) error) error {
	return w.db.view(ctx, func(r storage.Reader) error { return fn(w.At(r)) })
}

// read calls fn in a View and returns its result.
func read[T any](ctx context.Context, w *Workspace, fn func(*Snapshot) (T, error)) (out T, err error) {
	err = w.View(ctx, func(s *Snapshot) error {
		out, err = fn(s)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// The following methods call the method of [Snapshot] with the same name, each on a new snapshot.

// Customer reads a customer by its key, or returns [ErrCustomerNotFound].
func (w *Workspace) Customer(ctx context.Context, key string) (Customer, error) {
	return read(ctx, w, func(s *Snapshot) (Customer, error) { return s.Customer(ctx, key) })
}

// Space reads a space by its key, or returns [ErrResourceNotFound].
func (w *Workspace) Space(ctx context.Context, key string) (Space, error) {
	return read(ctx, w, func(s *Snapshot) (Space, error) { return s.Space(ctx, key) })
}

// SpaceByID reads a space by its space_id, or returns [ErrResourceNotFound].
func (w *Workspace) SpaceByID(ctx context.Context, id uuid.UUID) (Space, error) {
	return read(ctx, w, func(s *Snapshot) (Space, error) { return s.SpaceByID(ctx, id) })
}

// UserIdentity reads a user identity by its key, or returns [ErrResourceNotFound].
func (w *Workspace) UserIdentity(ctx context.Context, key string) (UserIdentity, error) {
	return read(ctx, w, func(s *Snapshot) (UserIdentity, error) { return s.UserIdentity(ctx, key) })
}

// UserIdentityByID reads a user identity by its user_identity_id, or returns
// [ErrResourceNotFound].
func (w *Workspace) UserIdentityByID(ctx context.Context, id uuid.UUID) (UserIdentity, error) {
	return read(ctx, w, func(s *Snapshot) (UserIdentity, error) { return s.UserIdentityByID(ctx, id) })
}

// AccessGrant reads an access grant by its key, or returns [ErrResourceNotFound].
func (w *Workspace) AccessGrant(ctx context.Context, key string) (AccessGrant, error) {
	return read(ctx, w, func(s *Snapshot) (AccessGrant, error) { return s.AccessGrant(ctx, key) })
}

// AccessGrantByID reads an access grant by its access_grant_id, or returns
// [ErrResourceNotFound].
func (w *Workspace) AccessGrantByID(ctx context.Context, id uuid.UUID) (AccessGrant, error) {
	return read(ctx, w, func(s *Snapshot) (AccessGrant, error) { return s.AccessGrantByID(ctx, id) })
}

// Spaces returns a page of spaces; see [Snapshot.Spaces].
func (w *Workspace) Spaces(ctx context.Context, q Query) (Page[Space], error) {
	return read(ctx, w, func(s *Snapshot) (Page[Space], error) { return s.Spaces(ctx, q) })
}

// UserIdentities returns a page of user identities; see [Snapshot.UserIdentities].
func (w *Workspace) UserIdentities(ctx context.Context, q Query) (Page[UserIdentity], error) {
	return read(ctx, w, func(s *Snapshot) (Page[UserIdentity], error) { return s.UserIdentities(ctx, q) })
}

// AccessGrants returns a page of access grants; see [Snapshot.AccessGrants].
func (w *Workspace) AccessGrants(ctx context.Context, q Query) (Page[AccessGrant], error) {
	return read(ctx, w, func(s *Snapshot) (Page[AccessGrant], error) { return s.AccessGrants(ctx, q) })
}

// Customers returns a page of customers; see [Snapshot.Customers].
func (w *Workspace) Customers(ctx context.Context, q CustomerQuery) (Page[Customer], error) {
	return read(ctx, w, func(s *Snapshot) (Page[Customer], error) { return s.Customers(ctx, q) })
}

// Referrers returns a page of the resources that refer to one resource; see [Snapshot.Referrers].
func (w *Workspace) Referrers(ctx context.Context, to Ref, limit int, cursor string) (Page[Ref], error) {
	return read(ctx, w, func(s *Snapshot) (Page[Ref], error) { return s.Referrers(ctx, to, limit, cursor) })
}

// Export returns a customer and all its resources; see [Snapshot.Export].
func (w *Workspace) Export(ctx context.Context, customerKey string) (CustomerData, error) {
	return read(ctx, w, func(s *Snapshot) (CustomerData, error) { return s.Export(ctx, customerKey) })
}
