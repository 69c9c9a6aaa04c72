package data

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/customerportal-go/customerportal/internal/chars"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// foldCase returns a text so that two texts that differ in case only become equal: each
// character becomes the least of those that it is equal to under simple case folding.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if 'a' <= r && r <= 'z' {
				r -= 'a' - 'A'
			}
			return r
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// hashEmail returns the key of an address, as foldCase returns it, in the index of
// addresses.
func hashEmail(folded string) layout.EmailHash {
	sum := sha256.Sum256([]byte(folded))
	return layout.EmailHash(sum[:])
}

// sharers are the given user identities that have an address once the push is applied, by
// their places among what is given, or -1 for none.
type sharers struct {
	first  int // the first of them
	silent int // the first to which the push does not give the address, since it had it before
}

// warnOfSharedEmails reports the addresses that a push gives to a user identity while
// another one of the customer has the same, ignoring case: one that is given too, or one
// that is stored and stays as it is. Of two that are given an address the later is
// reported.
func (s *Snapshot) warnOfSharedEmails(ctx context.Context, c *customer, g *given, merged []mergedItem, o PushOptions) error {
	isUser := func(i int) bool { return g.items[i].kind.valid() && g.items[i].class() == ClassUserIdentity }
	given := map[string]sharers{} // by address
	applied := map[Ref]bool{}
	asked := map[layout.EmailHash]string{}
	for i, it := range g.items {
		if !isUser(i) {
			continue
		}
		if it.email != "" {
			folded := foldCase(it.email)
			asked[hashEmail(folded)] = folded
		}
		if o.SkipInvalid && merged[i].refused(o) {
			continue
		}
		applied[it.ref()] = true
		after := it.email
		if m := &merged[i]; m.new != m.old { // else the fields of the stored one are not read
			after = m.new.email
		}
		if after == "" {
			continue
		}
		folded := foldCase(after)
		has, known := given[folded]
		if !known {
			has = sharers{first: i, silent: -1}
		}
		if it.email == "" && has.silent < 0 {
			has.silent = i
		}
		given[folded] = has
	}
	if len(asked) == 0 {
		return nil
	}
	stored := map[string]Ref{}
	if o.sync == nil { // else no other one stays
		var err error
		if stored, err = s.storedEmails(ctx, c, asked, applied); err != nil {
			return err
		}
	}
	for i, it := range g.items {
		if !isUser(i) || it.email == "" {
			continue
		}
		report := merged[i].found.about(it.at)
		folded := foldCase(it.email)
		has, known := given[folded]
		ref, isStored := stored[folded]
		switch {
		case known && has.first < i:
			report(".email_address", RuleSharedEmail, "is also that of %s", g.items[has.first].at)
		case known && has.silent >= 0 && has.silent != i:
			report(".email_address", RuleSharedEmail, "is also that of %s", g.items[has.silent].at)
		case isStored:
			report(".email_address", RuleSharedEmail, "is also that of the %s %q", ref.Kind, chars.Clip(ref.Key))
		}
	}
	return nil
}

// rowsPerEmail is how many rows of the index of addresses are read at most for each
// address that is looked for, to find all of them in one scan.
const rowsPerEmail = 8

// storedEmails returns a stored user identity for each of some addresses that one has,
// other than those that are left out. It reads a number of rows that does not depend on
// how many user identities the customer has: where the index is small beside the number
// of addresses it is read in one scan, else there is a scan for each address.
func (s *Snapshot) storedEmails(ctx context.Context, c *customer, addresses map[layout.EmailHash]string, leaveOut map[Ref]bool) (map[string]Ref, error) {
	out := map[string]Ref{}
	users := 0
	for _, kind := range Kinds(ClassUserIdentity) {
		users += c.counts[placeOf[kind]-1]
	}
	if users == 0 {
		return out, nil
	}
	look := func(prefix []byte) error {
		for e, err := range s.r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return err
			}
			k := layout.Parse(e.Key)
			ref := Ref{Kind(k.Kind), k.Key}
			address, wanted := addresses[k.Email]
			if !wanted || leaveOut[ref] {
				continue
			}
			if _, known := out[address]; !known {
				out[address] = ref
			}
			if len(prefix) == len(layout.EmailsOf(c.id, k.Email)) {
				return nil // it is a scan for this address only
			}
		}
		return nil
	}
	if users <= rowsPerEmail*len(addresses) {
		return out, look(layout.Emails(c.id))
	}
	for _, hash := range slices.SortedFunc(maps.Keys(addresses), func(a, b layout.EmailHash) int { return slices.Compare(a[:], b[:]) }) {
		if err := look(layout.EmailsOf(c.id, hash)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
