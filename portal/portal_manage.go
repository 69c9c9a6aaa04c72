package portal

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Get reads a portal of a workspace, or returns [ErrNotFound].
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

// describe is a portal as it is at the moment.
func (s *Service) describe(p *portalState, of data.Customer) (CustomerPortal, error) {
	c, err := p.config()
	if err != nil {
		return CustomerPortal{}, err
	}
	out := p.describe(of, c)
	out.Uses, out.State = int(p.uses), s.state(p)
	return out, nil
}

const (
	defaultListLimit = 100
	maxListLimit     = 1000
)

// List lists a customer's portals, the newest first; 1 to 1000 a page, and 0 is 100.
// cursor is Page.Next of the page before. It returns [data.ErrCustomerNotFound].
func (s *Service) List(ctx context.Context, ws *data.Workspace, customerKey string, limit int, cursor string) (page data.Page[CustomerPortal], err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return page, err
	}
	if limit == 0 {
		limit = defaultListLimit
	}
	if limit < 0 || limit > maxListLimit {
		return page, fmt.Errorf("%w: a limit of %d is not from 1 to %d", validation.ErrInvalid, limit, maxListLimit)
	}
	before, ok := base64url.Decode(cursor)
	if !ok || len(before) != 0 && len(before) != len(uuid.Nil) {
		return page, fmt.Errorf("%w: cursor", validation.ErrInvalid)
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		c, err := at.Customer(ctx, customerKey)
		if err != nil {
			return err
		}
		page = data.Page[CustomerPortal]{Items: []CustomerPortal{}}
		prefix := layout.PortalsPrefix(portaldata.CustomerID(c))
		r := storage.Prefix(prefix)
		if len(before) > 0 {
			r.End = append(prefix[:len(prefix):len(prefix)], before...)
		}
		var ids []uuid.UUID
		for e, err := range at.Reader().Scan(ctx, r, storage.ScanOptions{Reverse: true, Limit: limit + 1, KeysOnly: true}) {
			if err != nil {
				return err
			}
			k, err := layout.ParseAs(layout.ShapePortal, e.Key)
			if err != nil {
				return err
			}
			ids = append(ids, k.ID)
		}
		if len(ids) > limit {
			ids = ids[:limit]
			page.Next = base64url.Encode(ids[limit-1][:])
		}
		found, err := loadPortalStates(ctx, at.Reader(), portaldata.CustomerID(c), ids...)
		if err != nil {
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

// Open is the way back to a customer's portal: the newest that is not a deep link,
// with its URL, where it is live, and a new one with the same configuration, TTL and
// MaxUses where it has expired or was used up. It returns [ErrNotFound] where there
// never was one, and [ErrRevoked] where the newest was revoked: only Create ends that.
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
		var notes form.Notes
		config, err := encodeConfig(req.Config, &notes)
		if err := cmp.Or(err, invalid(notes)); err != nil {
			return err
		}
		out, err = s.insert(ctx, ws, tx, req, config, ids)
		return err
	}, reads...)
	return out, err
}

// newest reads a customer's newest portal. It is found, with its URL, where it is live.
func (s *Service) newest(ctx context.Context, r storage.Reader, c data.Customer) (*portalState, CustomerPortal, bool, error) {
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
	p := portals[0]
	if p == nil {
		return nil, none, false, fmt.Errorf("%w: %s", storage.ErrCorrupt, id)
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

// stillThere is a configuration without what it names and is gone: a portal that is
// made anew opens with the start page then, in the look of the workspace.
func (s *Service) withoutMissing(ctx context.Context, at *data.Snapshot, of data.Customer, c Config) (Config, error) {
	gone := func(part Config) (bool, error) {
		err := s.checkReferences(ctx, at, of, part, nil)
		return errors.Is(err, validation.ErrInvalid), ignoreInvalid(err)
	}
	// A restricted portal would show more without its landing page, and keeps it.
	if noPage, err := gone(Config{LandingPage: c.LandingPage}); err != nil {
		return c, err
	} else if noPage && c.navigation() == NavigationRestricted {
		return c, fmt.Errorf("%w: what the customer's restricted portal showed is gone", ErrNotFound)
	} else if noPage {
		c.LandingPage = data.Ref{}
	}
	if noProfile, err := gone(Config{CustomizationProfileID: c.CustomizationProfileID}); err != nil {
		return c, err
	} else if noProfile {
		c.CustomizationProfileID = uuid.Nil
	}
	return c, nil
}

func ignoreInvalid(err error) error {
	if errors.Is(err, validation.ErrInvalid) {
		return nil
	}
	return err
}

// CreateDeepLink makes a portal that shows one reservation of a customer, or another
// access grant, by its key, and nothing else: embedded, restricted, revoked with it. It
// lives as long as Options.TTL; Create makes others. It returns a [validation.Error] where
// there is none of that key.
func (s *Service) CreateDeepLink(ctx context.Context, ws *data.Workspace, customerKey, reservationKey string) (CustomerPortal, error) {
	return s.Create(ctx, ws, CreateRequest{CustomerKey: customerKey, Config: Config{
		IsEmbedded: true, NavigationMode: NavigationRestricted,
		DeepLink: data.Ref{Kind: data.KindReservation, Key: reservationKey},
	}})
}

// UpdateConfig changes the configuration of a portal, of which its sessions take notice
// with their next call. change is given the configuration as it is; it may run more
// than once, and its error is returned. A deep link can be changed, but neither given nor
// taken away. It returns [ErrNotFound], or a [validation.Error].
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
		if (before.DeepLink == data.Ref{}) != (after.DeepLink == data.Ref{}) {
			notes.Fault(fieldDeepLink, validation.RuleFormat, "a portal is made as a deep link, or is none")
			return invalid(notes)
		}
		if err := s.checkReferences(ctx, tx.Snapshot, tx.Customer, changedReferences(before, after), nil); err != nil {
			return err
		}
		was := p.stored
		p.stored = stored
		if out, err = s.describe(p, tx.Customer); err != nil {
			return err
		}
		out.Warnings = notes.Listed()
		if p.stored == was {
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

// changed is what a configuration names that it did not name before. What it did may be
// gone by now, as it may be at any time.
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

// within runs fn in a transaction that holds the customer of a portal.
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
		now, err := s.findPortal(ctx, tx.Snapshot, portalID)
		if err != nil {
			return err
		}
		return fn(ctx, tx, now.portalState)
	}, append(to.rowKeys(), layout.IDIndex(portalID), p.feedEnds())...)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, portalID)
	}
	return err
}
