package portal

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
)

// CreateRequest says which portal to create.
type CreateRequest struct {
	// CustomerKey names a customer that exists. It may be left out where CustomerData
	// is given.
	CustomerKey string

	// CustomerData is pushed in the same step: the portal is there if and only if the
	// push is. It creates the customer if need be.
	CustomerData *data.CustomerData

	// TTL is for how long the portal opens, at least 1 second and at most
	// Options.MaxTTL. Zero is Options.TTL.
	TTL time.Duration
}

// Create makes a portal of a customer, with a link that opens it. What it returns
// is the only place where the link is.
//
// It returns [data.ErrCustomerNotFound], the [data.InvalidError] of the push, or an
// error that matches [ErrInvalid]; then nothing was made or pushed.
func (s *Service) Create(ctx context.Context, ws *data.Workspace, req CreateRequest) (CustomerPortal, error) {
	if err := s.checkCreate(ws, req); err != nil {
		return CustomerPortal{}, err
	}
	var made CustomerPortal
	insert := func(ctx context.Context, tx data.CustomerTx) (err error) {
		made, err = s.insert(ctx, ws, tx, req)
		return err
	}
	if req.CustomerData == nil {
		if err := ws.Within(ctx, req.CustomerKey, insert); err != nil {
			return CustomerPortal{}, err
		}
		return made, nil
	}
	report, err := ws.PushWith(ctx, *req.CustomerData, data.PushOptions{Within: insert})
	if err != nil {
		return CustomerPortal{}, err
	}
	made.Push = report
	return made, nil
}

func (s *Service) checkCreate(ws *data.Workspace, req CreateRequest) error {
	switch d := req.CustomerData; {
	case ws == nil:
		return fmt.Errorf("%w: a workspace is needed", ErrInvalid)
	case ws.Store() != s.store:
		return fmt.Errorf("%w: the workspace is in another store than the service", ErrInvalid)
	case d == nil && req.CustomerKey == "":
		return fmt.Errorf("%w: customer_key or customer_data is needed", ErrInvalid)
	case d != nil && req.CustomerKey != "" && req.CustomerKey != d.CustomerKey:
		return fmt.Errorf("%w: customer_key %q is not that of customer_data, %q", ErrInvalid, req.CustomerKey, d.CustomerKey)
	case req.TTL != 0 && req.TTL < minTTL || req.TTL > s.maxTTL:
		return fmt.Errorf("%w: TTL must be at least %v and at most %v", ErrInvalid, minTTL, s.maxTTL)
	}
	return nil
}

// insert writes the rows of a new portal.
func (s *Service) insert(ctx context.Context, ws *data.Workspace, tx data.CustomerTx, req CreateRequest) (CustomerPortal, error) {
	ttl := req.TTL
	if ttl == 0 {
		ttl = s.ttl
	}
	r := &record{workspace: ws.ID(), customer: tx.Customer.ID(), createdAt: s.time()}
	r.expiresAt = r.createdAt.Add(ttl).Truncate(time.Microsecond)
	expires, err := linkExpiry(r.expiresAt)
	if err != nil {
		return CustomerPortal{}, err
	}
	if r.id, err = uuid.NewRandomFromReader(s.rand); err != nil {
		return CustomerPortal{}, fmt.Errorf("portal: making a portal id: %w", err)
	}
	if _, err := io.ReadFull(s.rand, r.link[:]); err != nil {
		return CustomerPortal{}, fmt.Errorf("portal: making a link id: %w", err)
	}
	taken, err := tx.Tx.Get(ctx, layout.Link(r.link), layout.ID(r.id))
	if err != nil {
		return CustomerPortal{}, err
	}
	if taken[0] != nil || taken[1] != nil {
		return CustomerPortal{}, fmt.Errorf("portal: Rand gave an id that is taken")
	}
	to := pointer{r.customer, r.id}
	for key, value := range map[string][]byte{
		string(layout.Portal(r.customer, r.id)):    r.encode(),
		string(layout.ID(r.id)):                    append(to.customer[:len(to.customer):len(to.customer)], layout.ReferrerPortal),
		string(layout.Link(r.link)):                to.encode(),
		string(layout.OwnLink(r.customer, r.link)): r.id[:],
	} {
		if err := tx.Tx.Put([]byte(key), value); err != nil {
			return CustomerPortal{}, err
		}
	}
	p := r.public(tx.Customer.Key)
	p.URL = Secret(s.base + s.keys.code(Link{ID: r.link, ExpiresAt: expires}))
	return p, nil
}

func (r *record) public(customerKey string) CustomerPortal {
	return CustomerPortal{
		ID: r.id, WorkspaceID: r.workspace, CustomerKey: customerKey,
		CreatedAt: r.createdAt, ExpiresAt: r.expiresAt,
	}
}
