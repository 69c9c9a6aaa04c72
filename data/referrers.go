package data

import (
	"container/heap"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// referrer is a resource, portal, device, access code or PIN that refers to a resource, and its relation to it. The key of a portal
// or device is its id, and that of an access code the ids of its device and of itself. The key of a PIN has no meaning.
type referrer struct {
	Ref
	relation relation
}

// referrerOf returns the referrer of an edge, and the reference by class to the resource to which the edge leads.
func referrerOf(edge layout.Key) (from referrer, to Ref) {
	from.Ref = Ref{Kind(edge.ReferrerKind), edge.ReferrerKey}
	switch {
	case from.Kind == KindCustomerPortal:
		from.relation = deepLink
	case from.Kind == KindDevice:
		from.relation = mappedTo
	case from.Kind == kindCode:
		from.relation = codeOf
	case from.Kind == kindPIN:
		from.relation = pinOf
	case Class(edge.Class) == ClassUserIdentity:
		from.relation = ofUser
	case from.Kind.Class() == ClassSpace:
		from.relation = inSite
	default:
		from.relation = atSpace
	}
	return from, byClass(Ref{Kind(edge.Class) << 4, edge.Key})
}

// deviceID returns the id of a referrer that is a device.
func (r referrer) deviceID() (uuid.UUID, error) {
	id, err := uuid.FromBytes([]byte(r.Key))
	if err != nil {
		return id, fmt.Errorf("%w: an edge from a device: %w", storage.ErrCorrupt, err)
	}
	return id, nil
}

// codeKey returns the ids of a referrer that is an access code.
func (r referrer) codeKey() (devicerow.CodeKey, error) {
	device, code, err := layout.ParseCodeReferrer(r.Key)
	if err != nil {
		return devicerow.CodeKey{}, fmt.Errorf("%w: an edge from an access code: %w", storage.ErrCorrupt, err)
	}
	return devicerow.CodeKey{Device: device, Code: code}, nil
}

// referrers returns the referrers of some resources, by reference by class. If portals is set, it returns only the portals
// that are deep links to these resources.
func (s *Snapshot) referrers(ctx context.Context, c *customer, to []Ref, portals bool) (map[Ref][]referrer, error) {
	prefixes := make([][]byte, len(to))
	for i, ref := range to {
		if portals {
			prefixes[i] = layout.EdgesFromPrefix(c.id, byte(ref.Kind.Class()), ref.Key, byte(KindCustomerPortal))
		} else {
			prefixes[i] = layout.EdgesPrefix(c.id, byte(ref.Kind.Class()), ref.Key)
		}
	}
	out := map[Ref][]referrer{}
	for key, err := range s.scanPrefixes(ctx, prefixes) {
		if err != nil {
			return nil, err
		}
		k, err := layout.ParseAs(layout.ShapeEdge, key)
		if err != nil {
			return nil, err
		}
		from, to := referrerOf(k)
		out[to] = append(out[to], from)
	}
	return out, nil
}

// Referrers returns a page of the resources that refer to one resource. They are sorted by kind and then by key; access
// grants are sorted by kind and then in the order of time, as in a list. As in every reference, only the
// class of to.Kind matters. limit is the maximum number of items in the page, from 1 to 1000; 0 selects 100. cursor is Page.Next
// of the previous page, or empty for the first page. Referrers returns an error that matches [validation.ErrInvalid] if limit
// is not valid, [ErrInvalidCursor] if cursor does not come from the same list, and [ErrResourceNotFound] if there is no such
// resource.
func (s *Snapshot) Referrers(ctx context.Context, to Ref, limit int, cursor string) (Page[Ref], error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return Page[Ref]{}, err
	}
	after, err := parseCursor(orderByEdge, cursor)
	if err != nil {
		return Page[Ref]{}, err
	}
	n, err := s.find(ctx, to)
	if err != nil {
		return Page[Ref]{}, err
	}
	c, err := s.customer(ctx, n.meta.CustomerKey)
	if err != nil {
		return Page[Ref]{}, err
	}
	page := Page[Ref]{Items: []Ref{}, Offset: -1, Total: -1}
	for _, kind := range Kinds() {
		var start []byte // the list of this kind begins after this position; nil is its start
		if len(after) > 0 {
			if byte(kind) < after[0] {
				continue
			}
			if byte(kind) == after[0] {
				start = after[1:]
			}
		}
		if c.counts[kindIndex[kind]-1] == 0 {
			continue
		}
		candidates, err := s.referrersOfKind(ctx, c, n, kind, start, limit-len(page.Items)+1)
		if err != nil {
			return Page[Ref]{}, err
		}
		for _, found := range candidates {
			if len(page.Items) == limit {
				return page, nil
			}
			page.Items = append(page.Items, found.ref)
			page.Next = formatCursor(orderByEdge, append([]byte{byte(kind)}, found.order...))
		}
	}
	page.Next = ""
	return page, nil
}

// referrersOfKind returns up to limit resources of one kind that refer to a resource, beginning after a position in their
// order.
func (s *Snapshot) referrersOfKind(ctx context.Context, c *customer, to *node, kind Kind, after []byte, limit int) ([]candidate, error) {
	l := &listing{s: s, customer: c, parts: []part{{at: after}}, opened: true}
	defer l.close()
	prefix := layout.EdgesFromPrefix(c.id, byte(to.class()), to.key, byte(kind))
	var err error
	switch {
	case kind.Class() != ClassAccessGrant:
		err = l.add(s.keyStream(ctx, prefix, kind, &l.parts[0]), nil)
	case after != nil && !isTimeOrder(after):
		err = ErrInvalidCursor
	default:
		err = l.openTimes(ctx, &l.parts[0], prefix, kind, nil)
	}
	if err != nil {
		return nil, err
	}
	heap.Init(&l.streams)
	candidates, _, err := l.next(ctx, limit)
	return candidates, err
}
