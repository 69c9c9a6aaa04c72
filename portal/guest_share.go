package portal

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage"
)

// maxGuestLinks is the number of the newest portals of an access grant among which a guest link is looked for.
const maxGuestLinks = 100

// guestConfig returns the configuration of a guest link. It shows no more than a portal with the configuration of, and looks like it.
func guestConfig(of Config, reservationKey string) Config {
	return Config{
		NavigationMode: NavigationRestricted, DeepLink: data.Ref{Kind: data.KindReservation, Key: reservationKey},
		CustomizationProfileID: of.CustomizationProfileID, TimeZone: of.TimeZone, ColorScheme: of.ColorScheme, Filters: of.Filters,
	}
}

// GuestLink returns the newest guest link of an access grant that [Session.ShareStay] of this portal would return, with its URL, or a
// portal without an ID if the access grant has no such link. It looks at the 100 newest links of the access grant.
func (v *View) GuestLink(ctx context.Context, key string) (CustomerPortal, error) {
	if err := v.permit(ActionShareStay); err != nil {
		return CustomerPortal{}, err
	}
	r, err := v.findResourceAs(ctx, data.Ref{Kind: data.KindAccessGrant, Key: key})
	if err != nil {
		return CustomerPortal{}, err
	}
	return v.guestLink(ctx, r.Ref())
}

func (v *View) guestLink(ctx context.Context, of data.Ref) (CustomerPortal, error) {
	s, none := v.service, CustomerPortal{}
	var notes jsonobject.Notes
	config, err := encodeConfig(guestConfig(*v.config, of.Key), &notes)
	if err := cmp.Or(err, invalid(notes)); err != nil {
		return none, err
	}
	customer := portaldata.CustomerID(v.customer)
	var ids []uuid.UUID
	edges := storage.Prefix(layout.EdgesFromPrefix(customer, byte(of.Kind.Class()), of.Key, layout.ReferrerPortal))
	for e, err := range v.at.Reader().Scan(ctx, edges, storage.ScanOptions{Reverse: true, KeysOnly: true, Limit: maxGuestLinks}) {
		if err != nil {
			return none, err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, e.Key)
		if err != nil {
			return none, err
		}
		id, err := uuid.FromBytes([]byte(k.ReferrerKey))
		if err != nil {
			return none, err
		}
		ids = append(ids, id)
	}
	found, err := loadPortalStates(ctx, v.at.Reader(), customer, ids...)
	if err != nil {
		return none, err
	}
	if err := s.followStays(ctx, v.at, v.customer, found...); err != nil {
		return none, err
	}
	for _, p := range found {
		if p == nil || p.guest == nil || p.stored != config || p.maxUses != 0 || s.state(p) != StateLive {
			continue
		}
		out, err := s.describe(p, v.customer)
		if err != nil {
			return none, err
		}
		expires, err := linkExpiry(p.expiresAt)
		out.URL = s.url(p.record, expires)
		return out, err
	}
	return none, nil
}

// ShareStay returns a guest link of an access grant that the portal shows, with its URL: the one that [View.GuestLink] returns, or a new
// one. A new one has the filters, the profile, the time zone and the color scheme of this portal. It is otherwise like one of
// [Service.CreateGuestLink]; the errors are those of that method, and [data.ErrResourceNotFound].
func (s *Session) ShareStay(ctx context.Context, key string) (out CustomerPortal, err error) {
	if err := s.View(ctx, func(v *View) error { return v.permit(ActionShareStay) }); err != nil {
		return out, err
	}
	ids, err := s.service.newIDs()
	if err != nil {
		return out, err
	}
	err = portaldata.Within(ctx, s.ws, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		v, err := s.permittedView(ctx, tx.Snapshot, ActionShareStay)
		if err != nil {
			return err
		}
		r, err := v.findResourceAs(ctx, data.Ref{Kind: data.KindAccessGrant, Key: key})
		if err != nil {
			return err
		}
		if out, err = v.guestLink(ctx, r.Ref()); err != nil || out.ID != uuid.Nil {
			return err
		}
		out, err = s.service.insertGuestLink(ctx, s.ws, tx, guestConfig(*v.config, key), portalActor(s.portal.ID), ids)
		return err
	}, ids.rowKeys()...)
	if err != nil {
		return CustomerPortal{}, s.writeError(ctx, err)
	}
	return out, nil
}

// insertGuestLink creates a guest link of the access grant of the DeepLink of a configuration.
func (s *Service) insertGuestLink(ctx context.Context, ws *data.Workspace, tx data.CustomerTx, c Config, actor data.Actor, ids portalIDs) (CustomerPortal, error) {
	var notes jsonobject.Notes
	config, err := encodeConfig(c, &notes)
	if err := cmp.Or(err, invalid(notes)); err != nil {
		return CustomerPortal{}, err
	}
	stay, err := s.readStay(ctx, tx.Snapshot, tx.Customer, c.DeepLink.Key)
	if err != nil {
		return CustomerPortal{}, err
	}
	if err := s.checkStay(stay, c.DeepLink.Key); err != nil {
		return CustomerPortal{}, err
	}
	req := CreateRequest{Config: c, TTL: stay.closes.Add(extensionLimit).Sub(ids.at), guest: &guestRecord{EndsAt: stay.closes}, actor: actor}
	out, err := s.insert(ctx, ws, tx, req, config, ids)
	out.ExpiresAt = stay.closes
	return out, err
}

// IsGuestLink reports whether the portal is a guest link; see [Service.CreateGuestLink]. Its DeepLink names the stay.
func (p CustomerPortal) IsGuestLink() bool { return p.Config.guest }
