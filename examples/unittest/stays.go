// Package unittest shows how a host program tests what it does with the library:
// with the memory store, a clock of the test's own and no network.
package unittest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Desk is a host program's own code: the front desk of a hotel.
type Desk struct {
	Workspace *data.Workspace
	Portals   *portal.Service
}

// CheckIn records a stay and returns the link to send to the hotel's manager. Keys are unique
// in a workspace, so they name the hotel: every hotel may have a room 101.
func (d *Desk) CheckIn(ctx context.Context, hotel, room, guest string, from, until time.Time) (link string, err error) {
	roomKey, guestKey := key(hotel, room), key(hotel, guest)
	stay := data.CustomerData{CustomerKey: hotel}
	stay.Add(
		data.Room(roomKey, "Room "+room),
		data.Guest(guestKey, guest),
		data.Reservation(guestKey+"@"+room, data.Ref{Kind: data.KindGuest, Key: guestKey}, data.Refs(data.KindRoom, roomKey)...).
			During(from, until),
	)
	p, err := d.Portals.Create(ctx, d.Workspace, portal.CreateRequest{CustomerData: &stay})
	if err != nil {
		return "", fmt.Errorf("checking %s in: %w", guest, err)
	}
	return p.URL.Reveal(), nil
}

// key is the key of a room or a guest of a hotel.
func key(hotel, name string) string { return hotel + "-" + name }

// Leave deletes a guest, and with the guest what it had access to.
func (d *Desk) Leave(ctx context.Context, hotel, guest string) (staysEnded int, err error) {
	report, err := d.Workspace.Delete(ctx, data.Selection{Resources: data.Refs(data.KindGuest, key(hotel, guest))})
	if err != nil {
		return 0, err
	}
	return report.DeletedByKind()[data.KindReservation], nil
}

// Visit counts the stays that a link shows, and says whether it still opens.
func (d *Desk) Visit(ctx context.Context, link string) (stays int, open bool, err error) {
	session, err := d.Portals.Resolve(ctx, portal.Code(link))
	if errors.Is(err, portal.ErrGone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	page, err := session.AccessGrants(ctx, data.Query{})
	return len(page.Items), true, err
}
