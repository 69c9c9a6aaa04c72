package portal

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Get returns a portal of a workspace, without its URL. It returns [ErrNotFound] if the workspace has no such portal.
func (s *Service) Get(ctx context.Context, ws *data.Workspace, portalID uuid.UUID) (out CustomerPortal, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		p, err := s.findPortal(ctx, at, portalID)
		if err != nil {
			return err
		}
		out, err = s.describe(p.portalState, p.owner)
		return err
	})
	return out, err
}

// describe returns a portal with its current state, given its customer. The URL is not set.
func (s *Service) describe(p *portalState, customer data.Customer) (CustomerPortal, error) {
	c, err := p.config()
	if err != nil {
		return CustomerPortal{}, err
	}
	out := p.describe(customer, c)
	out.Uses, out.State, out.ExpiresAt = int(p.uses), s.state(p), p.closesAt
	return out, nil
}

const (
	defaultListLimit = 100
	maxListLimit     = 1000
)

// List returns a page of a customer's portals, the newest first, without their URLs. A page has at most limit portals; limit is
// from 1 to 1000, and 0 means 100. cursor is Page.Next of the previous page, or empty for the first page. List returns
// [data.ErrCustomerNotFound] if there is no such customer, and an error that matches [validation.ErrInvalid] for an invalid limit
// or cursor.
func (s *Service) List(ctx context.Context, ws *data.Workspace, customerKey string, limit int, cursor string) (page data.Page[CustomerPortal], err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return page, err
	}
	if limit == 0 {
		limit = defaultListLimit
	}
	if limit < 0 || limit > maxListLimit {
		return page, fmt.Errorf("%w: the limit must be from 0 to %d, not %d", validation.ErrInvalid, maxListLimit, limit)
	}
	before, ok := base64url.Decode(cursor)
	if !ok || len(before) != 0 && len(before) != len(uuid.Nil) {
		return page, fmt.Errorf("%w: the cursor is not the Next of a page", validation.ErrInvalid)
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		c, err := at.Customer(ctx, customerKey)
		if err != nil {
			return err
		}
		page = data.Page[CustomerPortal]{Items: []CustomerPortal{}}
		var from uuid.UUID
		copy(from[:], before)
		ids, err := portalsIn(ctx, at.Reader(), portaldata.CustomerID(c), newestFirst(portaldata.CustomerID(c), from), limit+1)
		if err != nil {
			return err
		}
		if len(ids) > limit {
			ids = ids[:limit]
			page.Next = base64url.Encode(ids[limit-1][:])
		}
		found, err := loadPortalStates(ctx, at.Reader(), portaldata.CustomerID(c), ids...)
		if err != nil {
			return err
		}
		if err := s.followStays(ctx, at, c, found...); err != nil {
			return err
		}
		for _, p := range found {
			described, err := s.describe(p, c)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, described)
		}
		return nil
	})
	return page, err
}

// portalsIn returns the ids of at most n portals of a customer in a range, the newest first. It leaves out connect webviews.
func portalsIn(ctx context.Context, at storage.Reader, customer layout.CustomerID, r storage.Range, n int) (ids []uuid.UUID, err error) {
	for {
		read := 0
		for e, err := range at.Scan(ctx, r, storage.ScanOptions{Reverse: true, Limit: n}) {
			if err != nil {
				return nil, err
			}
			k, err := layout.ParseAs(layout.ShapePortal, e.Key)
			if err != nil {
				return nil, err
			}
			row, err := decodeRecord(customer, k.ID, e.Value)
			if err != nil {
				return nil, err
			}
			read++
			r.End = e.Key
			if row.webview != nil {
				continue
			}
			if ids = append(ids, k.ID); len(ids) == n {
				return ids, nil
			}
		}
		if read < n {
			return ids, nil
		}
	}
}

// Open returns the newest portal of a customer that is not a deep link, with its URL. If that portal has expired or its link is
// used up, Open creates a portal with the same configuration, TTL and MaxUses and returns that. Open removes references from
// this configuration if their resource or profile does not exist any more.
//
// Open returns [data.ErrCustomerNotFound] if there is no such customer, [ErrNotFound] if the customer never had such a portal,
// and [ErrRevoked] if the newest one was revoked. After ErrNotFound or ErrRevoked, the caller can call [Service.Create]. Open
// also returns [ErrNotFound] if the portal is restricted to a landing page that does not exist any more.
func (s *Service) Open(ctx context.Context, ws *data.Workspace, customerKey string) (CustomerPortal, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return CustomerPortal{}, err
	}
	var out CustomerPortal
	var p *portalState
	var found bool
	err := ws.View(ctx, func(at *data.Snapshot) error {
		c, err := at.Customer(ctx, customerKey)
		if err != nil {
			return err
		}
		p, out, found, err = s.newest(ctx, at.Reader(), c)
		return err
	})
	if err != nil || found {
		return out, err
	}
	ids, err := s.newIDs()
	if err != nil {
		return CustomerPortal{}, err
	}
	reads := append(ids.rowKeys(), layout.NewestPortal(p.customer))
	reads = append(append(reads, pointer{p.customer, p.id}.rowKeys()...), out.Config.rowKeys(ws.ID())...)
	err = ws.Within(ctx, customerKey, func(ctx context.Context, tx data.CustomerTx) error {
		p, live, found, err := s.newest(ctx, tx.Tx, tx.Customer)
		if err != nil || found {
			out = live
			return err
		}
		req := CreateRequest{Config: live.Config, MaxUses: live.MaxUses, TTL: min(p.expiresAt.Sub(p.createdAt), s.maxTTL)}
		if req.Config, err = s.withoutMissing(ctx, tx.Snapshot, tx.Customer, req.Config); err != nil {
			return err
		}
		var notes jsonobject.Notes
		config, err := encodeConfig(req.Config, &notes)
		if err := cmp.Or(err, invalid(notes)); err != nil {
			return err
		}
		out, err = s.insert(ctx, ws, tx, req, config, ids)
		return err
	}, reads...)
	return out, err
}

// newest returns a customer's newest portal that is not a deep link. isLive reports whether the portal is live. Only a live
// portal has its URL in described.
func (s *Service) newest(ctx context.Context, r storage.Reader, c data.Customer) (p *portalState, described CustomerPortal, isLive bool, err error) {
	var none CustomerPortal
	rows, err := r.Get(ctx, layout.NewestPortal(portaldata.CustomerID(c)))
	if err != nil {
		return nil, none, false, err
	}
	if rows[0] == nil {
		return nil, none, false, fmt.Errorf("%w: customer %q has had no portal", ErrNotFound, c.Key)
	}
	id, err := uuid.FromBytes(rows[0])
	if err != nil {
		return nil, none, false, fmt.Errorf("%w: the row of the newest portal: %w", storage.ErrCorrupt, err)
	}
	portals, err := loadPortalStates(ctx, r, portaldata.CustomerID(c), id)
	if err != nil {
		return nil, none, false, err
	}
	if p = portals[0]; p == nil {
		return nil, none, false, fmt.Errorf("%w: the newest portal, %s, does not exist", storage.ErrCorrupt, id)
	}
	out, err := s.describe(p, c)
	if err != nil {
		return nil, none, false, err
	}
	switch out.State {
	case StateRevoked:
		return nil, none, false, ErrRevoked
	case StateLive:
		expires, err := linkExpiry(p.expiresAt)
		out.URL = s.url(p.record, expires)
		return p, out, true, err
	}
	return p, out, false, nil
}

// withoutMissing returns a configuration without the landing page and the profile if these do not exist any more.
func (s *Service) withoutMissing(ctx context.Context, at *data.Snapshot, customer data.Customer, c Config) (Config, error) {
	missing := func(part Config) (bool, error) {
		err := s.checkReferences(ctx, at, customer, part, nil)
		return errors.Is(err, validation.ErrInvalid), ignoreInvalid(err)
	}
	// A restricted portal without its landing page would show more.
	if noPage, err := missing(Config{LandingPage: c.LandingPage}); err != nil {
		return c, err
	} else if noPage && c.navigation() == NavigationRestricted {
		return c, fmt.Errorf("%w: the landing page of the customer's restricted portal does not exist any more", ErrNotFound)
	} else if noPage {
		c.LandingPage = data.Ref{}
	}
	if noProfile, err := missing(Config{CustomizationProfileID: c.CustomizationProfileID}); err != nil {
		return c, err
	} else if noProfile {
		c.CustomizationProfileID = uuid.Nil
	}
	return c, nil
}

// ignoreInvalid returns err, or nil if it matches validation.ErrInvalid.
func ignoreInvalid(err error) error {
	if errors.Is(err, validation.ErrInvalid) {
		return nil
	}
	return err
}

// CreateDeepLink creates a portal that shows only the reservation, or other access grant, with the key, and the resources that it
// refers to. The portal is embedded, is restricted, has the lifetime Options.TTL, and is revoked when the reservation is deleted.
// [Service.Create] creates deep links with other options. CreateDeepLink returns a [validation.Error] if there is no such access
// grant, and [data.ErrCustomerNotFound] if there is no such customer.
func (s *Service) CreateDeepLink(ctx context.Context, ws *data.Workspace, customerKey, reservationKey string) (CustomerPortal, error) {
	return s.Create(ctx, ws, CreateRequest{CustomerKey: customerKey, Config: Config{
		IsEmbedded: true, NavigationMode: NavigationRestricted,
		DeepLink: data.Ref{Kind: data.KindReservation, Key: reservationKey},
	}})
}

// UpdateConfig changes the configuration of a portal and returns the portal. change gets the current configuration and modifies
// it. It may run more than once. If it returns an error, UpdateConfig writes nothing and returns that error. The portal's
// sessions use the new configuration from their next call on.
//
// UpdateConfig returns [ErrNotFound] if the workspace has no such portal, and a [validation.Error] if the changed configuration
// is invalid. change cannot add or remove the DeepLink, but can make it refer to another resource or device, unless
// the portal is a guest link.
func (s *Service) UpdateConfig(ctx context.Context, ws *data.Workspace, portalID uuid.UUID, change func(*Config) error) (CustomerPortal, error) {
	var out CustomerPortal
	if err := s.checkWorkspace(ws); err != nil {
		return out, err
	}
	err := s.inPortalTransaction(ctx, ws, portalID, func(ctx context.Context, tx data.CustomerTx, p *portalState) error {
		before, err := p.config()
		if err != nil {
			return err
		}
		after := before
		if err := change(&after); err != nil {
			return err
		}
		notes := after.check()
		stored, err := encodeConfig(after, &notes)
		if err := cmp.Or(err, invalid(notes)); err != nil {
			return err
		}
		if before.isDeepLink() != after.isDeepLink() {
			notes.Fault(fieldDeepLink, validation.RuleFormat, "cannot be added to a portal or removed from it")
			return invalid(notes)
		}
		if p.guest != nil && before.DeepLink != after.DeepLink {
			notes.Fault(fieldDeepLink, validation.RuleFormat, "of a guest link cannot change: create another guest link")
			return invalid(notes)
		}
		if err := s.checkReferences(ctx, tx.Snapshot, tx.Customer, changedReferences(before, after), nil); err != nil {
			return err
		}
		previous := p.stored
		p.stored = stored
		if out, err = s.describe(p, tx.Customer); err != nil {
			return err
		}
		out.Warnings = notes.Listed()
		if p.stored == previous {
			return nil
		}
		if edge := deepLinkEdge(p.record, before); edge != nil {
			if err := tx.Tx.Delete(edge); err != nil {
				return err
			}
		}
		if edge := deepLinkEdge(p.record, after); edge != nil {
			if err := tx.Tx.Put(edge, nil); err != nil {
				return err
			}
		}
		if err := tx.Tx.Put(layout.Portal(p.customer, p.id), p.encode()); err != nil {
			return err
		}
		return portaldata.AddChange(ctx, tx, data.Actor{}, data.Updated, p.id)
	})
	return out, err
}

// changedReferences returns a Config with only the references of after that differ from those of before. UpdateConfig does not
// check the others, since their resources may have been deleted.
func changedReferences(before, after Config) Config {
	var c Config
	if after.LandingPage != before.LandingPage {
		c.LandingPage = after.LandingPage
	}
	if after.DeepLink != before.DeepLink {
		c.DeepLink = after.DeepLink
	}
	if after.CustomizationProfileID != before.CustomizationProfileID {
		c.CustomizationProfileID = after.CustomizationProfileID
	}
	return c
}

// inPortalTransaction runs fn in a transaction of the portal's customer, with the state of the portal.
func (s *Service) inPortalTransaction(ctx context.Context, ws *data.Workspace, portalID uuid.UUID, fn func(context.Context, data.CustomerTx, *portalState) error) error {
	var p *loadedPortal
	err := ws.View(ctx, func(at *data.Snapshot) (err error) {
		p, err = s.findPortal(ctx, at, portalID)
		return err
	})
	if err != nil {
		return err
	}
	to := pointer{p.customer, portalID}
	err = portaldata.Within(ctx, ws, to.customer, func(ctx context.Context, tx data.CustomerTx) error {
		current, err := s.findPortal(ctx, tx.Snapshot, portalID)
		if err != nil {
			return err
		}
		return fn(ctx, tx, current.portalState)
	}, append(to.rowKeys(), layout.IDIndex(portalID), p.feedEnds())...)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, portalID)
	}
	return err
}
