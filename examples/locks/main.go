// Locks shows how a host program issues and revokes access to doors. It follows the change feed
// and prints the calls that it would make to the API of a lock vendor.
//
//	go run ./examples/locks
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
}

// vendor is a client of a lock vendor's API. It identifies access by the id of the access grant,
// so its calls are idempotent.
type vendor struct {
	out io.Writer
	has map[uuid.UUID]bool // issued access, by the id of the access grant
}

// grant issues access, or changes access that was issued before.
func (v *vendor) grant(id uuid.UUID, g data.AccessGrant) {
	verb := "issue "
	if v.has[id] {
		verb = "change"
	}
	v.has[id] = true
	doors := make([]string, len(g.Spaces))
	for i, ref := range g.Spaces {
		doors[i] = ref.Key
	}
	fmt.Fprintf(v.out, "%s  %s  doors %s  from %s to %s\n", verb, g.Ref(),
		strings.Join(doors, ", "), data.FormatTime(g.StartsAt), data.FormatTime(g.EndsAt))
}

// revoke revokes access. It does nothing if there is none.
func (v *vendor) revoke(id uuid.UUID, ref data.Ref) {
	if v.has[id] {
		delete(v.has, id)
		fmt.Fprintf(v.out, "revoke  %s\n", ref)
	}
}

// syncGrants reads the feed after a cursor and sends every changed access grant to the vendor. It returns the cursor for
// the next call. A program stores the cursor durably.
func syncGrants(ctx context.Context, ws *data.Workspace, v *vendor, after data.Cursor) (data.Cursor, error) {
	for c, err := range ws.Changes(ctx, after) {
		if err != nil {
			return after, err
		}
		if c.Class == data.ClassAccessGrant {
			// The change does not contain the fields of the grant, so read the grant. If it was deleted in the meantime, the
			// deletion follows later in the feed.
			switch g, err := ws.AccessGrantByID(ctx, c.ID); {
			case c.Change == data.Deleted, errors.Is(err, data.ErrResourceNotFound):
				v.revoke(c.ID, data.Ref{Kind: c.Kind, Key: c.Key})
			case err != nil:
				return after, err
			default:
				v.grant(c.ID, g)
			}
		}
		after = c.Cursor
	}
	return after, nil
}

func run(ctx context.Context, out io.Writer) error {
	store := memory.New()
	defer store.Close()
	ws := data.Open(store, data.Options{}).Workspace(uuid.New())
	v := &vendor{out: out, has: map[uuid.UUID]bool{}}
	var after data.Cursor

	ada := data.Ref{Kind: data.KindGuest, Key: "guest-ada"}
	from := time.Date(2030, 6, 1, 15, 0, 0, 0, time.UTC)
	stay := data.Reservation("stay-1", ada, data.Refs(data.KindRoom, "lisbon-101", "lisbon-102")...).During(from, from.Add(44*time.Hour))
	hotel := data.CustomerData{CustomerKey: "acme"}
	hotel.Add(data.Site("lisbon", "Lisbon"), data.Room("lisbon-101", "Room 101").In("lisbon"), data.Room("lisbon-102", "Room 102").In("lisbon"), data.Guest("guest-ada", "Ada"), stay)

	longer := data.CustomerData{CustomerKey: "acme"}
	longer.Add(data.AccessGrant{Kind: data.KindReservation, Key: "stay-1", EndsAt: from.Add(68 * time.Hour)})

	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"a reservation of two rooms is pushed", func() error { _, err := ws.Push(ctx, hotel); return err }},
		{"the guest stays a day longer", func() error { _, err := ws.Push(ctx, longer); return err }},
		{"the same reservation is pushed again", func() error { _, err := ws.Push(ctx, longer); return err }},
		{"a room is closed", func() error {
			_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindRoom, "lisbon-102")})
			return err
		}},
		{"the guest leaves", func() error {
			_, err := ws.Delete(ctx, data.Selection{Resources: []data.Ref{ada}})
			return err
		}},
	} {
		if err := step.do(); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s:\n", step.title)
		var err error
		if after, err = syncGrants(ctx, ws, v, after); err != nil {
			return err
		}
	}
	return nil
}
