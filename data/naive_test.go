package data_test

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// listed is a resource as the naive lists know it.
type listed struct {
	customer, class, kind, key string
	name, email, phone, code   string
	id                         string
	site                       string // parent site
	user                       string
	spaces                     []string
	starts, ends               time.Time
	metadata                   map[string]any
}

// naive is a workspace.
type naive struct {
	names map[string]string // of each customer, by its key
	all   []listed
}

// naiveKinds are the kinds of each class, in the order of lists.
var naiveKinds = map[string][]string{
	"space":         strings.Fields("space site property room common_area unit facility building listing property_listing"),
	"user_identity": strings.Fields("user_identity guest tenant resident user staff_member"),
	"access_grant":  strings.Fields("access_grant reservation booking"),
}

// answer is the expected result of a list: an error, or keys in order.
type answer struct {
	err  string
	keys []string
}

// ask answers a question.
func (n *naive) ask(q question) answer {
	timed := !q.from.IsZero() || !q.until.IsZero() || !q.startsFrom.IsZero() || !q.endUntil.IsZero()
	grants, spaces := q.class == "access_grant", q.class == "space"
	if q.site != "" && !spaces || q.space != "" && spaces || q.user != "" && !grants || timed && !grants || len(q.metadata) > 0 && q.class == "user_identity" ||
		!q.from.IsZero() && !q.until.IsZero() && !q.from.Before(q.until) {
		return answer{err: "invalid"}
	}
	if _, there := n.names[q.customer]; !there && q.customer != "" {
		return answer{err: "customer"}
	}
	// A site stands for the spaces in it as well.
	places := []string{q.space}
	for _, site := range n.all {
		if site.kind == "site" && site.key == q.space && (q.customer == "" || q.customer == site.customer) {
			for _, r := range n.all {
				if r.class == "space" && r.site == site.key && r.customer == site.customer {
					places = append(places, r.key)
				}
			}
		}
	}
	var found []listed
	for _, r := range n.all {
		switch {
		case r.class != q.class,
			q.customer != "" && r.customer != q.customer,
			q.kinds != nil && !slices.Contains(q.kinds, r.kind),
			q.byKeys && !slices.Contains(q.keys, r.key),
			q.site != "" && r.site != q.site,
			q.space != "" && !slices.ContainsFunc(r.spaces, func(key string) bool { return slices.Contains(places, key) }),
			q.user != "" && r.user != q.user,
			!q.from.IsZero() && !r.ends.IsZero() && !r.ends.After(q.from),
			!q.until.IsZero() && !r.starts.IsZero() && !r.starts.Before(q.until),
			!q.startsFrom.IsZero() && (r.starts.IsZero() || r.starts.Before(q.startsFrom)),
			!q.endUntil.IsZero() && (r.ends.IsZero() || !r.ends.Before(q.endUntil)),
			q.keep != "" && strings.Contains(r.key, q.keep),
			!n.found(q.text, r):
			continue
		}
		if slices.ContainsFunc(fieldsNamed(q.metadata), func(name string) bool { return r.metadata[name] != q.metadata[name] }) {
			continue
		}
		found = append(found, r)
	}
	search := len(words(q.text)) > 0
	inTime := grants && q.customer != "" && !q.byKeys && (search || q.space != "" || q.user != "" || timed)
	slices.SortFunc(found, func(a, b listed) int {
		if !inTime {
			return strings.Compare(a.key, b.key)
		}
		if search {
			endedA, endedB := !a.ends.IsZero() && !a.ends.After(q.now), !b.ends.IsZero() && !b.ends.After(q.now)
			switch {
			case endedA != endedB:
				return cmp.Compare(truth(endedA), truth(endedB))
			case endedA:
				return byTime(b, a)
			}
		}
		return byTime(a, b)
	})
	return answer{keys: keysIn(found)}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func fieldsNamed(m map[string]any) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

func keysIn(found []listed) []string {
	keys := []string{}
	for _, r := range found {
		keys = append(keys, r.key)
	}
	return keys
}

// byTime compares access grants by their start, kind and key. Those without a start come
// first, by their end.
func byTime(a, b listed) int {
	at := func(r listed) time.Time {
		switch {
		case !r.starts.IsZero():
			return r.starts
		case !r.ends.IsZero():
			return r.ends
		}
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	}
	order := naiveKinds["access_grant"]
	return cmp.Or(cmp.Compare(truth(!a.starts.IsZero()), truth(!b.starts.IsZero())), at(a).Compare(at(b)),
		cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind)), strings.Compare(a.key, b.key))
}

// of returns the resource of a customer with that class and key.
func (n *naive) of(customer, class, key string) (listed, bool) {
	for _, r := range n.all {
		if r.customer == customer && r.class == class && r.key == key {
			return r, true
		}
	}
	return listed{}, false
}

// customersOf and referrersOf are the lists that take no Query.
func (n *naive) customersOf(text string) []string {
	keys := []string{}
	for key, name := range n.names {
		if len(words(text)) == 0 || matchesText(text, []string{key, name}, nil, nil) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// referrersOf lists what refers to a resource: by kind, then by key or, for access grants, by
// time.
func (n *naive) referrersOf(class, key string) []string {
	to := slices.IndexFunc(n.all, func(r listed) bool { return r.class == class && r.key == key })
	if to < 0 {
		return nil
	}
	out := []string{}
	for _, of := range []string{"space", "user_identity", "access_grant"} {
		for _, kind := range naiveKinds[of] {
			var found []listed
			for _, r := range n.all {
				if r.kind == kind && r.customer == n.all[to].customer &&
					(class == "space" && (r.site == key || slices.Contains(r.spaces, key)) || class == "user_identity" && r.user == key) {
					found = append(found, r)
				}
			}
			slices.SortFunc(found, func(a, b listed) int {
				if of == "access_grant" {
					return byTime(a, b)
				}
				return strings.Compare(a.key, b.key)
			})
			for _, r := range found {
				out = append(out, r.kind+" "+r.key)
			}
		}
	}
	return out
}
