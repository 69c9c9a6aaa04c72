package proofs

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// world is a store that calls find: customers "a" and "b", an operation on "b" that has
// committed and is not applied, and a portal of "a".
type world struct {
	backup []byte
	portal *opened
	roomID uuid.UUID
	userID uuid.UUID
	stayID uuid.UUID
	a      data.CustomerID
}

// call is a call of a public method.
type call struct {
	name string
	do   func(ctx context.Context, h host, w *world) error

	// inParts is whether a failure may leave a part of what it does, as its doc says.
	inParts bool
}

// drain ends a sequence.
func drain[T any](seq func(func(T, error) bool)) (err error) {
	seq(func(_ T, e error) bool {
		err = e
		return e == nil
	})
	return err
}

// only is the error of a call of two answers.
func only[T any](_ T, err error) error { return err }

var hostRow = []byte("host/row")

func putHostRow(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Put(hostRow, []byte("1")) }

// calls is every method of a Workspace that does I/O, and those of a portal's Service
// whose form is settled.
var calls = []call{
	{name: "Customer", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Customer(ctx, "b")) }},
	{name: "Space", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Space(ctx, "b/001")) }},
	{name: "SpaceByID", do: func(ctx context.Context, h host, w *world) error { return only(h.ws.SpaceByID(ctx, w.roomID)) }},
	{name: "UserIdentity", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.UserIdentity(ctx, "a/001")) }},
	{name: "UserIdentityByID", do: func(ctx context.Context, h host, w *world) error {
		return only(h.ws.UserIdentityByID(ctx, w.userID))
	}},
	{name: "AccessGrant", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.AccessGrant(ctx, "a/001")) }},
	{name: "AccessGrantByID", do: func(ctx context.Context, h host, w *world) error {
		return only(h.ws.AccessGrantByID(ctx, w.stayID))
	}},
	{name: "Spaces", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Spaces(ctx, data.Query{CustomerKey: "b"}))
	}},
	{name: "UserIdentities", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.UserIdentities(ctx, data.Query{}))
	}},
	{name: "AccessGrants", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.AccessGrants(ctx, data.Query{CustomerKey: "a", SpaceKey: "a/001"}))
	}},
	{name: "Customers", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Customers(ctx, data.CustomerQuery{}))
	}},
	{name: "Referrers", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "a/site"}, 0, ""))
	}},
	{name: "Export", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Export(ctx, "b")) }},
	{name: "View", do: func(ctx context.Context, h host, _ *world) error {
		return h.ws.View(ctx, func(s *data.Snapshot) error { return only(s.Space(ctx, "b/000")) })
	}},
	{name: "Changes", do: func(ctx context.Context, h host, _ *world) error { return drain(h.ws.Changes(ctx, data.Cursor{})) }},
	{name: "Follow", do: func(ctx context.Context, h host, _ *world) (err error) {
		for _, e := range h.ws.Follow(ctx, data.Cursor{}) {
			return e
		}
		return nil
	}},
	{name: "Push", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Push(ctx, block("a", "pushed", 9)))
	}},
	{name: "PushWith", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.PushWith(ctx, block("c", "pushed", 9), data.PushOptions{Within: putHostRow}))
	}},
	{name: "Sync", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Sync(ctx, block("b", "synced", 3)))
	}},
	{name: "SyncWith", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.SyncWith(ctx, block("a", "synced", 2), data.SyncOptions{Within: putHostRow}))
	}},
	{name: "Delete", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Delete(ctx, data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindSite, "a/site")}))
	}},
	{name: "PlanDelete", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.PlanDelete(ctx, data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindSite, "a/site")}))
	}},
	{name: "Import", do: func(ctx context.Context, h host, _ *world) error {
		rooms := []data.Resource{data.Room("a/new", "New"), data.Guest("a/new", "New")}
		return only(h.ws.Import(ctx, "a", func(yield func(data.Resource, error) bool) {
			for _, r := range rooms {
				if !yield(r, nil) {
					return
				}
			}
		}, data.ImportOptions{}))
	}},
	{name: "Within", do: func(ctx context.Context, h host, _ *world) error { return h.ws.Within(ctx, "b", putHostRow) }},
	{name: "WithinID", do: func(ctx context.Context, h host, w *world) error { return h.ws.WithinID(ctx, w.a, putHostRow) }},
	{name: "Recover", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Recover(ctx)) }},
	{name: "TrimChanges", inParts: true, do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.TrimChanges(ctx, farFuture))
	}},
	{name: "portal Create", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.Create(ctx, h.ws, portal.CreateRequest{CustomerKey: "b"}))
	}},
	{name: "portal Create with data", do: func(ctx context.Context, h host, _ *world) error {
		d := block("a", "created", 8)
		return only(h.portals.Create(ctx, h.ws, portal.CreateRequest{CustomerData: &d}))
	}},
	{name: "portal Resolve", do: func(ctx context.Context, h host, w *world) error { return only(h.portals.Resolve(ctx, w.portal.code)) }},
	{name: "portal Revoke", do: func(ctx context.Context, h host, w *world) error { return h.portals.Revoke(ctx, h.ws, w.portal.id) }},
	{name: "Check", do: func(ctx context.Context, h host, _ *world) error { return only(data.Check(ctx, h.ws.Store())) }},
	{name: "Backup", do: func(ctx context.Context, h host, _ *world) error {
		return only(storage.Backup(ctx, h.ws.Store(), discard{}))
	}},
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// matches is whether an error is one of those that a fault may give.
func matches(err error, any []error) bool {
	return slices.ContainsFunc(any, func(want error) bool { return errors.Is(err, want) })
}
