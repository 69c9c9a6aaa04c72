package data_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// question is a query as the test makes it.
type question struct {
	class                             string // or "customers" or "referrers"
	customer                          string
	kinds, keys                       []string
	byKeys                            bool // keys counts, even if it is empty
	site, space, user                 string
	from, until, startsFrom, endUntil time.Time
	text                              string
	now                               time.Time
	metadata                          map[string]any
	keep                              string // keys that contain it are left out
	limit                             int
}

func (q question) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %.40q", q.class, q.customer)
	for _, part := range []struct {
		name string
		set  bool
		v    any
	}{
		{"kinds", q.kinds != nil, q.kinds}, {"keys", q.byKeys, fmt.Sprintf("%.200q", q.keys)}, {"site", q.site != "", fmt.Sprintf("%q", q.site)},
		{"space", q.space != "", fmt.Sprintf("%q", q.space)}, {"user", q.user != "", fmt.Sprintf("%q", q.user)},
		{"from", !q.from.IsZero(), q.from}, {"until", !q.until.IsZero(), q.until},
		{"startsFrom", !q.startsFrom.IsZero(), q.startsFrom}, {"endsUntil", !q.endUntil.IsZero(), q.endUntil},
		{"text", q.text != "", fmt.Sprintf("%q", q.text)}, {"now", q.text != "", q.now},
		{"metadata", q.metadata != nil, q.metadata}, {"keep", q.keep != "", fmt.Sprintf("%q", q.keep)}, {"limit", true, q.limit},
	} {
		if part.set {
			fmt.Fprintf(&b, ", %s %v", part.name, part.v)
		}
	}
	return b.String()
}

// typed makes a search text from the texts of the world.
func (r *random) typed(n *naive) string {
	from := n.all[r.IntN(len(n.all))]
	var parts []string
	for range 1 + r.IntN(2) {
		text := []rune(cmp.Or([]string{from.name, from.key, from.email, from.phone, from.code, from.id}[r.IntN(6)], from.name, from.key))
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

// question makes a question about a world.
func (r *random) question(n *naive) question {
	var customers []string
	for key := range n.names {
		customers = append(customers, key)
	}
	slices.Sort(customers)
	q := question{class: []string{"space", "user_identity", "access_grant", "access_grant", "access_grant"}[r.IntN(5)], limit: []int{1, 2, 3, 7, 100, 1000, 0}[r.IntN(7)]}
	if !r.chance(5) {
		q.customer = r.one(customers)
	}
	if r.chance(40) {
		q.customer = r.odd()
	}
	any := n.all[r.IntN(len(n.all))]
	key := func(class string) string {
		for range 20 {
			if of := n.all[r.IntN(len(n.all))]; of.class == class && (q.customer == "" || of.customer == q.customer || r.chance(10)) {
				return of.key
			}
		}
		return r.odd()
	}
	if r.chance(4) {
		for range 1 + r.IntN(3) {
			q.kinds = append(q.kinds, r.one(naiveKinds[q.class]))
		}
	}
	if r.chance(10) {
		q.byKeys = true
		q.keys = []string{}
		for range r.IntN(8) {
			q.keys = append(q.keys, key(q.class))
		}
		if r.chance(4) {
			q.keys = append(q.keys, any.key, r.odd())
		}
	}
	valid := func(of string) bool { return strings.Contains(of, q.class) || r.chance(60) }
	if valid("space") && r.chance(3) {
		q.site = key("space")
		if r.chance(2) {
			for _, s := range n.all {
				if s.kind == "site" && s.customer == q.customer {
					q.site = s.key
				}
			}
		}
	}
	if valid("user_identity access_grant") && r.chance(3) {
		q.space = key("space")
		if r.chance(3) {
			for _, s := range n.all {
				if s.kind == "site" && s.customer == q.customer {
					q.space = s.key
				}
			}
		}
	}
	if valid("access_grant") {
		if r.chance(4) {
			q.user = key("user_identity")
		}
		for _, bound := range []*time.Time{&q.from, &q.until, &q.startsFrom, &q.endUntil} {
			if r.chance(4) {
				*bound = r.bound()
			}
		}
		if !q.from.IsZero() && !q.until.IsZero() && !r.chance(10) {
			q.until = q.from.Add(time.Duration(1 + r.Int64N(1<<(1+r.IntN(55)))))
		}
	}
	if valid("space access_grant") && r.chance(6) {
		q.metadata = r.metadata()
	}
	if r.chance(4) {
		q.text = r.typed(n)
	}
	if r.chance(10) {
		q.keep = keyParts[r.IntN(len(keyParts))]
	}
	q.now = r.bound()
	return q
}

// odd makes a key that no resource can have, or that is not there.
func (r *random) odd() string {
	return []string{"none", "a\x00b", "a\x00", "\x00", "\xff", "\xff\xff", strings.Repeat("k", 513), strings.Repeat("k", 5000), " a", "nowhere"}[r.IntN(10)]
}
