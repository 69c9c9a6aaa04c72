package data_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// naiveResource is a resource in a naiveWorkspace.
type naiveResource struct {
	customer, class, kind, key string
	name, email, phone, code   string
	id                         string
	site                       string // parent site
	user                       string
	spaces                     []string
	starts, ends               time.Time
	metadata                   map[string]any
}

// naiveWorkspace is a workspace in memory. A query compares all its resources.
type naiveWorkspace struct {
	customerNames map[string]string // by customer key
	resources     []naiveResource
}

// naiveKinds lists the kinds of each class, in the order of lists.
var naiveKinds = map[string][]string{
	"space":         strings.Fields("space site property room common_area unit facility building listing property_listing"),
	"user_identity": strings.Fields("user_identity guest tenant resident user staff_member"),
	"access_grant":  strings.Fields("access_grant reservation booking"),
}

// queryResult is the result of a list: the name of an error, or keys in order.
type queryResult struct {
	err  string
	keys []string
}

// query returns the expected result of a query.
func (n *naiveWorkspace) query(q naiveQuery) queryResult {
	hasTimes := !q.from.IsZero() || !q.until.IsZero() || !q.startsFrom.IsZero() || !q.endsUntil.IsZero()
	grants, spaces := q.class == "access_grant", q.class == "space"
	if q.site != "" && !spaces || (q.space != "" || q.spaces != nil) && spaces || q.space != "" && q.spaces != nil || q.user != "" && !grants || hasTimes && !grants || len(q.metadata) > 0 && q.class == "user_identity" ||
		!q.from.IsZero() && !q.until.IsZero() && !q.from.Before(q.until) ||
		q.byName && (grants || q.customer == "") || q.byTime && (!grants || q.customer == "" || q.hasKeys) {
		return queryResult{err: "invalid"}
	}
	if _, there := n.customerNames[q.customer]; !there && q.customer != "" {
		return queryResult{err: "customer"}
	}
	// The filter by a site also matches the spaces in the site.
	spaceKeys := []string{q.space}
	for _, site := range n.resources {
		if site.kind == "site" && site.key == q.space && (q.customer == "" || q.customer == site.customer) {
			for _, r := range n.resources {
				if r.class == "space" && r.site == site.key && r.customer == site.customer {
					spaceKeys = append(spaceKeys, r.key)
				}
			}
		}
	}
	var found []naiveResource
	for _, r := range n.resources {
		switch {
		case r.class != q.class,
			q.customer != "" && r.customer != q.customer,
			q.kinds != nil && !slices.Contains(q.kinds, r.kind),
			q.hasKeys && !slices.Contains(q.keys, r.key),
			q.site != "" && r.site != q.site,
			q.space != "" && !slices.ContainsFunc(r.spaces, func(key string) bool { return slices.Contains(spaceKeys, key) }),
			q.spaces != nil && !slices.ContainsFunc(r.spaces, func(key string) bool { return slices.Contains(q.spaces, key) }),
			q.user != "" && r.user != q.user,
			!q.from.IsZero() && !r.ends.IsZero() && !r.ends.After(q.from),
			!q.until.IsZero() && !r.starts.IsZero() && !r.starts.Before(q.until),
			!q.startsFrom.IsZero() && (r.starts.IsZero() || r.starts.Before(q.startsFrom)),
			!q.endsUntil.IsZero() && (r.ends.IsZero() || !r.ends.Before(q.endsUntil)),
			q.keepWithout != "" && strings.Contains(r.key, q.keepWithout),
			!n.matches(q.text, r):
			continue
		}
		if slices.ContainsFunc(metadataNames(q.metadata), func(name string) bool { return r.metadata[name] != q.metadata[name] }) {
			continue
		}
		found = append(found, r)
	}
	search := len(searchWords(q.text)) > 0
	sortByTime := grants && q.customer != "" && !q.hasKeys && (search || q.byTime || q.space != "" || q.spaces != nil || q.user != "" || hasTimes)
	names := collate.New(language.Und, collate.Loose, collate.Numeric)
	slices.SortFunc(found, func(a, b naiveResource) int {
		if q.byName {
			return cmp.Or(names.CompareString(a.name, b.name), strings.Compare(a.key, b.key))
		}
		if !sortByTime {
			return strings.Compare(a.key, b.key)
		}
		if search {
			endedA, endedB := !a.ends.IsZero() && !a.ends.After(q.now), !b.ends.IsZero() && !b.ends.After(q.now)
			switch {
			case endedA != endedB:
				return cmp.Compare(boolToInt(endedA), boolToInt(endedB))
			case endedA:
				return compareByTime(b, a)
			}
		}
		return compareByTime(a, b)
	})
	if q.descending {
		slices.Reverse(found)
	}
	return queryResult{keys: resourceKeys(found)}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func metadataNames(m map[string]any) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

func resourceKeys(found []naiveResource) []string {
	keys := []string{}
	for _, r := range found {
		keys = append(keys, r.key)
	}
	return keys
}

// compareByTime compares access grants by their start, kind and key. Access grants without a start come first, in the order of
// their end.
func compareByTime(a, b naiveResource) int {
	at := func(r naiveResource) time.Time {
		switch {
		case !r.starts.IsZero():
			return r.starts
		case !r.ends.IsZero():
			return r.ends
		}
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	}
	order := naiveKinds["access_grant"]
	return cmp.Or(cmp.Compare(boolToInt(!a.starts.IsZero()), boolToInt(!b.starts.IsZero())), at(a).Compare(at(b)),
		cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind)), strings.Compare(a.key, b.key))
}

// resource returns a customer's resource by class and key.
func (n *naiveWorkspace) resource(customer, class, key string) (naiveResource, bool) {
	for _, r := range n.resources {
		if r.customer == customer && r.class == class && r.key == key {
			return r, true
		}
	}
	return naiveResource{}, false
}

// customers returns the keys of the customers that a search finds.
func (n *naiveWorkspace) customers(text string) []string {
	keys := []string{}
	for key, name := range n.customerNames {
		if len(searchWords(text)) == 0 || matchesText(text, []string{key, name}, nil, nil) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// referrers returns the resources that refer to a resource, in the order of their kinds, then of keys. Access grants of a kind
// are in the order of time.
func (n *naiveWorkspace) referrers(class, key string) []string {
	to := slices.IndexFunc(n.resources, func(r naiveResource) bool { return r.class == class && r.key == key })
	if to < 0 {
		return nil
	}
	refs := []string{}
	for _, referrerClass := range []string{"space", "user_identity", "access_grant"} {
		for _, kind := range naiveKinds[referrerClass] {
			var found []naiveResource
			for _, r := range n.resources {
				if r.kind == kind && r.customer == n.resources[to].customer &&
					(class == "space" && (r.site == key || slices.Contains(r.spaces, key)) || class == "user_identity" && r.user == key) {
					found = append(found, r)
				}
			}
			slices.SortFunc(found, func(a, b naiveResource) int {
				if referrerClass == "access_grant" {
					return compareByTime(a, b)
				}
				return strings.Compare(a.key, b.key)
			})
			for _, r := range found {
				refs = append(refs, r.kind+" "+r.key)
			}
		}
	}
	return refs
}
