// Package unittest shows how a host program tests its use of the library: with the memory store, a fake clock and no
// network.
package unittest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Desk is code of a host program: the front desk of a hotel group.
type Desk struct {
	Workspace *data.Workspace
	Portals   *portal.Service
}

// CheckIn pushes a stay and returns a portal link for the manager of the hotel. Keys are unique
// in a workspace, so they contain the hotel: every hotel can have a room 101.
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

// key returns the key of a room or guest of a hotel.
func key(hotel, name string) string { return hotel + "-" + name }

// Leave deletes a guest and the guest's stays, and returns the number of stays.
func (d *Desk) Leave(ctx context.Context, hotel, guest string) (staysEnded int, err error) {
	report, err := d.Workspace.Delete(ctx, data.Selection{Resources: data.Refs(data.KindGuest, key(hotel, guest))})
	if err != nil {
		return 0, err
	}
	return report.DeletedByKind()[data.KindReservation], nil
}

// Visit returns the number of stays that a link shows. open is false if the portal has expired or was revoked.
func (d *Desk) Visit(ctx context.Context, link string) (stays int, open bool, err error) {
	session, err := d.Portals.Resolve(ctx, portal.Code(link))
	if errors.Is(err, portal.ErrGone) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	err = session.View(ctx, func(v *portal.View) error {
		page, err := v.AccessGrants(ctx, data.Query{})
		stays = len(page.Items)
		return err
	})
	return stays, true, err
}
