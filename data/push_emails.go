package data

import (
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// addressUsers are two of the items that have an e-mail address after the push, by index. -1 means none.
type addressUsers struct {
	first     int // the first item that has the address
	unchanged int // the first item that had the address before and whose data does not contain it
}

// warnSharedEmails adds a warning for each item whose data contains an e-mail address that another user identity of the
// customer has after the push, ignoring case. The other one is an item too, or a stored resource that the push does not
// change. If two items contain the same address, the warning is about the later one.
func warnSharedEmails(g *checkedPush, l *lookups, st *pushState, merged []mergeResult, o PushOptions) {
	users := map[layout.EmailHash]addressUsers{}
	others := map[layout.EmailHash]*emailUsers{} // the stored user identities that the push does not change
	for hash, u := range st.emails {
		if u.count > 0 {
			others[hash] = u.clone()
		}
	}
	for _, n := range o.kept { // in a sync there are no other unchanged resources
		if hash, has := n.emailHash(); has {
			if others[hash] == nil {
				others[hash] = &emailUsers{}
			}
			others[hash].add(n.ref())
		}
	}
	had := make([]layout.EmailHash, len(g.items))  // for each item, the address of the stored resource
	gets := make([]layout.EmailHash, len(g.items)) // for each item, the address after the push
	applied := map[Ref]bool{}
	for i, it := range g.items {
		if !it.kind.valid() || it.class() != ClassUserIdentity {
			continue
		}
		m := &merged[i]
		after, has := l.emails[i], it.email != ""
		if m.new != m.old { // otherwise the fields of old are not decoded, and are equal to those of the item
			had[i], _ = m.old.emailHash()
			after, has = m.new.emailHash()
		} else {
			had[i] = after
		}
		gets[i] = after
		if !m.applied(o) {
			continue
		}
		if u := others[had[i]]; u != nil && !applied[it.ref()] && o.sync == nil { // in a sync, others contains no item
			u.remove(it.ref())
		}
		applied[it.ref()] = true
		if !has {
			continue
		}
		u, known := users[after]
		if !known {
			u = addressUsers{first: i, unchanged: -1}
		}
		if u.unchanged < 0 && l.emails[i] != after {
			u.unchanged = i
		}
		users[after] = u
	}
	for i, it := range g.items {
		hash := l.emails[i]
		if hash == (layout.EmailHash{}) || gets[i] != hash {
			continue // the data of the item has no address, or the address from a portal stays
		}
		report := merged[i].found.about(it.at)
		found, known := users[hash]
		switch {
		case known && found.first < i:
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", g.items[found.first].at)
			continue
		case known && found.unchanged >= 0 && found.unchanged != i:
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", g.items[found.unchanged].at)
			continue
		}
		u := others[hash]
		if u == nil {
			continue
		}
		if had[i] == hash && !applied[it.ref()] && o.sync == nil { // the push skips the item, so that the stored one keeps the address
			u = u.clone()
			u.remove(it.ref())
		}
		if u.count > 0 {
			report(".email_address", validation.RuleSharedEmail, "is also that of %s", u)
		}
	}
}
