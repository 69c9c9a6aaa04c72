package data

import (
	"container/heap"
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// referrer is a resource, portal, device or access code that refers to a resource, and its relation to it. The key of a portal
// or device is its id, and that of an access code the ids of its device and of itself.
type referrer struct {
	Ref
	relation relation
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
		r := referrer{Ref: Ref{Kind(k.ReferrerKind), k.ReferrerKey}}
		switch from := r.Kind.Class(); {
		case r.Kind == KindCustomerPortal:
			r.relation = deepLink
		case r.Kind == kindDevice:
			r.relation = mappedTo
		case r.Kind == kindCode:
			r.relation = codeOf
		case Class(k.Class) == ClassUserIdentity:
			r.relation = ofUser
		case from == ClassSpace:
			r.relation = inSite
		default:
			r.relation = atSpace
		}
		named := byClass(Ref{Kind(k.Class) << 4, k.Key})
		out[named] = append(out[named], r)
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
	page := Page[Ref]{Items: []Ref{}}
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
	l := &listing{s: s, customer: c, parts: []part{{after: after}}, opened: true}
	defer l.close()
	prefix := layout.EdgesFromPrefix(c.id, byte(to.class()), to.key, byte(kind))
	var err error
	switch {
	case kind.Class() != ClassAccessGrant:
		err = l.add(s.keyStream(ctx, prefix, kind, after), nil)
	case after != nil && !isTimeOrder(after):
		err = ErrInvalidCursor
	default:
		err = l.openTimes(ctx, &l.parts[0], prefix, kind)
	}
	if err != nil {
		return nil, err
	}
	heap.Init(&l.streams)
	candidates, _, err := l.next(ctx, limit)
	return candidates, err
}
