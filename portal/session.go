package portal

import (
	"context"
	"errors"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Session is what an open link gives access to: one customer's portal. Each of
// its calls finds out again, in the snapshot that it reads, that the portal has
// not expired and is not revoked and that its customer is there, and returns
// [ErrExpired] or [ErrRevoked] where that is no longer so.
type Session struct {
	service *Service
	ws      *data.Workspace
	portal  *record
	key     string // of the customer
}

// Resolve opens the link of a code: what comes after the last slash of its URL.
//
// It returns [ErrForged] for a code that this service did not make and
// [ErrExpired] for one whose time is over, both with no look at the store, and
// [ErrRevoked] where the portal was revoked or went with its customer.
func (s *Service) Resolve(ctx context.Context, code string) (*Session, error) {
	link, err := s.keys.Verify(code, s.now())
	if err != nil {
		return nil, err
	}
	var session *Session
	err = data.View(ctx, s.store, func(r storage.Reader) error {
		rows, err := r.Get(ctx, layout.Link(link.ID))
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrRevoked
		}
		to, err := decodePointer(rows[0])
		if err != nil {
			return err
		}
		session, err = s.open(ctx, r, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	return session, nil
}

// open reads a portal that is live.
func (s *Service) open(ctx context.Context, r storage.Reader, to pointer) (*Session, error) {
	rows, err := r.Get(ctx, layout.Portal(to.customer, to.portal), layout.Revoked(to.customer, to.portal))
	if err != nil {
		return nil, err
	}
	if rows[0] == nil {
		return nil, ErrRevoked
	}
	p, err := decodeRecord(to.customer, to.portal, rows[0])
	if err != nil {
		return nil, err
	}
	if rows[1] != nil {
		return nil, ErrRevoked
	}
	if !s.now().Before(p.expiresAt) {
		return nil, ErrExpired
	}
	ws := data.NewWorkspace(s.store, p.workspace, data.Options{Now: s.now, Rand: s.rand})
	c, err := ws.At(r).CustomerByID(ctx, to.customer)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil, ErrRevoked
	}
	if err != nil {
		return nil, err
	}
	return &Session{service: s, ws: ws, portal: p, key: c.Key}, nil
}

// Portal is the portal that the session is of, without its URL.
func (s *Session) Portal() CustomerPortal { return s.portal.public(s.key) }

// view runs fn on a snapshot in which the portal is live.
func (s *Session) view(ctx context.Context, fn func(*data.Snapshot) error) error {
	return s.ws.View(ctx, func(snapshot *data.Snapshot) error {
		if _, err := s.service.open(ctx, snapshot.Reader(), pointer{s.portal.customer, s.portal.id}); err != nil {
			return err
		}
		return fn(snapshot)
	})
}

// Customer reads the customer whose portal it is.
func (s *Session) Customer(ctx context.Context) (c data.Customer, err error) {
	err = s.view(ctx, func(snapshot *data.Snapshot) error {
		c, err = snapshot.Customer(ctx, s.key)
		return err
	})
	return c, err
}

// Spaces lists the customer's spaces. The customer of the query is set by the session.
func (s *Session) Spaces(ctx context.Context, q data.Query) (data.Page[data.Space], error) {
	return list(ctx, s, q, (*data.Snapshot).Spaces)
}

// UserIdentities lists the customer's user identities, as Spaces does.
func (s *Session) UserIdentities(ctx context.Context, q data.Query) (data.Page[data.UserIdentity], error) {
	return list(ctx, s, q, (*data.Snapshot).UserIdentities)
}

// AccessGrants lists the customer's access grants, as Spaces does.
func (s *Session) AccessGrants(ctx context.Context, q data.Query) (data.Page[data.AccessGrant], error) {
	return list(ctx, s, q, (*data.Snapshot).AccessGrants)
}

func list[T any](ctx context.Context, s *Session, q data.Query, read func(*data.Snapshot, context.Context, data.Query) (data.Page[T], error)) (page data.Page[T], err error) {
	q.CustomerKey = s.key
	err = s.view(ctx, func(snapshot *data.Snapshot) error {
		page, err = read(snapshot, ctx, q)
		return err
	})
	return page, err
}
