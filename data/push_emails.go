package data

import (
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// sharers are the given user identities that have an e-mail address after the push, by their
// places among the given items, or -1 if there is none.
type sharers struct {
	first  int // the first of them
	silent int // the first that had the address before, and to which the push does not give it
}

// warnOfSharedEmails reports the e-mail addresses that a push gives to a user identity while
// another one of the customer has the same address, ignoring case: one that is given as well,
// or one that is stored and that the push does not change. If two of the given have an address,
// the later one is reported.
func warnOfSharedEmails(g *given, l *lookups, st *pushState, merged []mergedItem, o PushOptions) {
	given := map[layout.EmailHash]sharers{}
	others := map[layout.EmailHash]*emailUsers{} // the stored ones that the push does not change
	for hash, u := range st.emails {
		if u.count > 0 {
			others[hash] = u.clone()
		}
	}
	for _, n := range o.kept { // in a sync, the only others
		if hash, has := n.emailHash(); has {
			if others[hash] == nil {
				others[hash] = &emailUsers{}
			}
			others[hash].add(n.ref())
		}
	}
	had := make([]layout.EmailHash, len(g.items))  // by place, the address of the stored resource
	gets := make([]layout.EmailHash, len(g.items)) // the address after the push
	applied := map[Ref]bool{}
	for i, it := range g.items {
		if !it.kind.valid() || it.class() != ClassUserIdentity {
			continue
		}
		m := &merged[i]
		after, has := l.emails[i], it.email != ""
		if m.new != m.old { // else the fields of the stored one are not decoded, and are those of the given one
			had[i], _ = m.old.emailHash()
			after, has = m.new.emailHash()
		} else {
			had[i] = after
		}
		gets[i] = after
		if !m.applied(o) {
			continue
		}
		if u := others[had[i]]; u != nil && !applied[it.ref()] && o.sync == nil { // in a sync, no given one is among others
			u.remove(it.ref())
		}
		applied[it.ref()] = true
		if !has {
			continue
		}
		s, known := given[after]
		if !known {
			s = sharers{first: i, silent: -1}
		}
		if s.silent < 0 && l.emails[i] != after {
			s.silent = i
		}
		given[after] = s
	}
	for i, it := range g.items {
		hash := l.emails[i]
		if hash == (layout.EmailHash{}) || gets[i] != hash {
			continue // none is given, or one that was given in a portal stays
		}
		report := merged[i].found.about(it.at)
		s, known := given[hash]
		switch {
		case known && s.first < i:
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", g.items[s.first].at)
			continue
		case known && s.silent >= 0 && s.silent != i:
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", g.items[s.silent].at)
			continue
		}
		u := others[hash]
		if u == nil {
			continue
		}
		if had[i] == hash && !applied[it.ref()] && o.sync == nil { // it is left out, and stays as it is stored
			u = u.clone()
			u.remove(it.ref())
		}
		if u.count > 0 {
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", u)
		}
	}
}
