package data

import (
	"context"
	"iter"
	"time"
)

// takesSite reports whether an access grant takes a site as a whole, with all spaces in it. An access grant that also names a space
// that one guest has alone names the site only for its entrances.
func takesSite(g AccessGrant, site string) bool {
	named := false
	for _, ref := range g.Spaces {
		switch {
		case ref.Kind == KindSite:
			named = named || ref.Key == site
		case ref.Kind != KindCommonArea:
			return false
		}
	}
	return named
}

// takers returns the access grants of a customer that take a space at some time from starts to ends: those to the space itself, those
// to the spaces in it if it is a site, and those that take the site of the space as a whole. site is the key of that site, or "".
func (s *Snapshot) takers(ctx context.Context, customer string, space Ref, site string, starts, ends time.Time) iter.Seq2[AccessGrant, error] {
	queries := []Query{{SpaceKey: space.Key}}
	if site != "" && space.Kind != KindCommonArea {
		queries = append(queries, Query{SpaceKeys: []string{site}})
	}
	return func(yield func(AccessGrant, error) bool) {
		for _, q := range queries {
			q.CustomerKey, q.From, q.Until, q.Limit = customer, starts, ends, maxLimit
			for {
				page, err := s.AccessGrants(ctx, q)
				if err != nil {
					yield(AccessGrant{}, err)
					return
				}
				for _, g := range page.Items {
					if (q.SpaceKeys == nil || takesSite(g, site)) && !yield(g, nil) {
						return
					}
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
		}
	}
}
