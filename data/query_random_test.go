package data_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// naiveQuery describes a query for both implementations.
type naiveQuery struct {
	class                              string
	customer                           string
	kinds, keys                        []string
	hasKeys                            bool // keys is set, perhaps to an empty list
	site, space, user                  string
	spaces                             []string
	from, until, startsFrom, endsUntil time.Time
	text                               string
	now                                time.Time
	metadata                           map[string]any
	keepWithout                        string // Keep refuses keys that contain it
	byName, byTime, descending         bool
	limit, countLimit                  int
}

func (q naiveQuery) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %.40q", q.class, q.customer)
	for _, part := range []struct {
		name string
		set  bool
		v    any
	}{
		{"kinds", q.kinds != nil, q.kinds}, {"keys", q.hasKeys, fmt.Sprintf("%.200q", q.keys)}, {"site", q.site != "", fmt.Sprintf("%q", q.site)},
		{"space", q.space != "", fmt.Sprintf("%q", q.space)}, {"spaces", q.spaces != nil, fmt.Sprintf("%.200q", q.spaces)}, {"user", q.user != "", fmt.Sprintf("%q", q.user)},
		{"from", !q.from.IsZero(), q.from}, {"until", !q.until.IsZero(), q.until},
		{"startsFrom", !q.startsFrom.IsZero(), q.startsFrom}, {"endsUntil", !q.endsUntil.IsZero(), q.endsUntil},
		{"text", q.text != "", fmt.Sprintf("%q", q.text)}, {"now", q.text != "", q.now},
		{"metadata", q.metadata != nil, q.metadata}, {"keep", q.keepWithout != "", fmt.Sprintf("%q", q.keepWithout)}, {"by name", q.byName, true}, {"by time", q.byTime, true}, {"descending", q.descending, true},
		{"limit", true, q.limit}, {"count", q.countLimit > 0, q.countLimit},
	} {
		if part.set {
			fmt.Fprintf(&b, ", %s %v", part.name, part.v)
		}
	}
	return b.String()
}

// searchText returns a search text with parts of the texts in the workspace.
func (r *generator) searchText(n *naiveWorkspace) string {
	source := n.resources[r.IntN(len(n.resources))]
	var parts []string
	for range 1 + r.IntN(2) {
		text := []rune(cmp.Or([]string{source.name, source.key, source.email, source.phone, source.code, source.id}[r.IntN(6)], source.name, source.key))
		if len(text) > 40 {
			text = text[:40]
		}
		start := r.IntN(len(text))
		parts = append(parts, string(text[start:start+1+r.IntN(len(text)-start)]))
	}
	text := strings.Join(parts, []string{" ", ", ", "; ", "\t"}[r.IntN(4)])
	switch r.IntN(8) {
	case 0:
		text = strings.ToUpper(text)
	case 1:
		text = norm.NFD.String(text)
	case 2:
		text = []string{"-", " , ", "...", "541 639", "0541.639", "zzz", "é", "@"}[r.IntN(8)]
	}
	return text
}

// query returns a random query.
func (r *generator) query(n *naiveWorkspace) naiveQuery {
	var customers []string
	for key := range n.customerNames {
		customers = append(customers, key)
	}
	slices.Sort(customers)
	q := naiveQuery{class: []string{"space", "user_identity", "access_grant", "access_grant", "access_grant"}[r.IntN(5)], limit: []int{1, 2, 3, 7, 100, 1000, 0}[r.IntN(7)]}
	if !r.oneIn(5) {
		q.customer = r.pick(customers)
	}
	if r.oneIn(40) {
		q.customer = r.unknownKey()
	}
	someResource := n.resources[r.IntN(len(n.resources))]
	key := func(class string) string {
		for range 20 {
			if of := n.resources[r.IntN(len(n.resources))]; of.class == class && (q.customer == "" || of.customer == q.customer || r.oneIn(10)) {
				return of.key
			}
		}
		return r.unknownKey()
	}
	if r.oneIn(4) {
		for range 1 + r.IntN(3) {
			q.kinds = append(q.kinds, r.pick(naiveKinds[q.class]))
		}
	}
	if r.oneIn(10) {
		q.hasKeys = true
		q.keys = []string{}
		for range r.IntN(8) {
			q.keys = append(q.keys, key(q.class))
		}
		if r.oneIn(4) {
			q.keys = append(q.keys, someResource.key, r.unknownKey())
		}
	}
	allowed := func(of string) bool { return strings.Contains(of, q.class) || r.oneIn(60) }
	if allowed("space") && r.oneIn(3) {
		q.site = key("space")
		if r.oneIn(2) {
			for _, s := range n.resources {
				if s.kind == "site" && s.customer == q.customer {
					q.site = s.key
				}
			}
		}
	}
	if allowed("user_identity access_grant") && r.oneIn(3) {
		q.space = key("space")
		if r.oneIn(3) {
			for _, s := range n.resources {
				if s.kind == "site" && s.customer == q.customer {
					q.space = s.key
				}
			}
		}
	}
	if allowed("user_identity access_grant") && (q.space == "" && r.oneIn(4) || r.oneIn(60)) {
		q.spaces = []string{}
		for range r.IntN(5) {
			q.spaces = append(q.spaces, key("space"))
		}
	}
	if allowed("access_grant") {
		if r.oneIn(4) {
			q.user = key("user_identity")
		}
		for _, bound := range []*time.Time{&q.from, &q.until, &q.startsFrom, &q.endsUntil} {
			if r.oneIn(4) {
				*bound = r.queryTime()
			}
		}
		if !q.from.IsZero() && !q.until.IsZero() && !r.oneIn(10) {
			q.until = q.from.Add(time.Duration(1 + r.Int64N(1<<(1+r.IntN(55)))))
		}
	}
	if allowed("space access_grant") && r.oneIn(6) {
		q.metadata = r.metadata()
	}
	if r.oneIn(4) {
		q.text = r.searchText(n)
	}
	if r.oneIn(10) {
		q.keepWithout = keyParts[r.IntN(len(keyParts))]
	}
	q.now = r.queryTime()
	q.byName = (q.class != "access_grant" && q.customer != "" || r.oneIn(60)) && r.oneIn(2)
	q.byTime = (q.class == "access_grant" && q.customer != "" && !q.hasKeys || r.oneIn(60)) && r.oneIn(2)
	q.descending = r.oneIn(3)
	q.countLimit = []int{0, 1, 5, 1000}[r.IntN(4)]
	return q
}

// unknownKey returns an invalid key, or a key that no resource has.
func (r *generator) unknownKey() string {
	return []string{"none", "a\x00b", "a\x00", "\x00", "\xff", "\xff\xff", strings.Repeat("k", 513), strings.Repeat("k", 5000), " a", "nowhere"}[r.IntN(10)]
}
