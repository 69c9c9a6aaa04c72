package data

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// spaceScope is the set of spaces that Query.SpaceKey or Query.SpaceKeys selects.
type spaceScope struct {
	keys  []string // nil if neither is set; of a SpaceKey: the space itself and, if it is a site that is not large, the spaces in it
	large bool     // the space is a site with more than maxMergedSpaces spaces
}

// spaceScope reads the spaces that the SpaceKey of a query selects. If owner is not nil, they must be spaces of that customer.
func (s *Snapshot) spaceScope(ctx context.Context, owner *customer, key string) (spaceScope, error) {
	p := spaceScope{keys: []string{key}}
	nodes, customers, err := s.findResources(ctx, []Ref{{KindSpace, key}})
	if err != nil || nodes[0] == nil || nodes[0].kind != KindSite || owner != nil && customers[0].id != owner.id {
		return p, err
	}
	prefix := layout.EdgesPrefix(customers[0].id, byte(ClassSpace), key)
	for _, kind := range Kinds(ClassSpace) {
		prefix := append(slices.Clip(prefix), byte(kind))
		for e, err := range s.r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true, Limit: maxMergedSpaces + 1}) {
			if err != nil {
				return p, err
			}
			if len(p.keys) > maxMergedSpaces {
				p.large = true
				return p, nil
			}
			k, err := layout.ParseAs(layout.ShapeEdge, e.Key)
			if err != nil {
				return p, err
			}
			p.keys = append(p.keys, k.ReferrerKey)
		}
	}
	return p, nil
}

// includes reports whether a resource refers to one of the spaces.
func (p *spaceScope) includes(n *node) bool {
	return slices.ContainsFunc(n.spaces, func(r Ref) bool { return slices.Contains(p.keys, r.Key) })
}

// inLargeSite reports whether a resource refers to the site of the query or to a space in it. loadRelated must have read the
// spaces to which the resource refers.
func (l *listing) inLargeSite(c candidate, n *node) bool {
	return slices.ContainsFunc(n.spaces, func(r Ref) bool {
		if r.Key == l.q.SpaceKey {
			return true
		}
		space := l.related[c.customerRef(r)].node
		return space != nil && space.parentSite == l.q.SpaceKey
	})
}
