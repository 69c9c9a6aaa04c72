package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
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

// emailHash returns the hash of the e-mail address of a user identity, which is the same for
// addresses that differ in case only. It returns false if n is nil, is of another class or has
// no address.
func (n *node) emailHash() (layout.EmailHash, bool) {
	if n == nil || n.email == "" || !n.kind.valid() || n.class() != ClassUserIdentity {
		return layout.EmailHash{}, false
	}
	sum := sha256.Sum256([]byte(foldCase(n.email)))
	return layout.EmailHash(sum[:]), true
}

// emailUsers is the value of the row of an e-mail address: the user identities of one customer
// that have the address. It takes the same space for any number of them, and adding or removing
// one needs no other row. It names a user identity only while no other one has the address.
// For most warnings about a shared address this is enough.
type emailUsers struct {
	count int
	refs  []byte // the XOR of their kinds and keys, without the zero bytes at the end
}

// add adds a user identity that does not have the address yet.
func (u *emailUsers) add(ref Ref) {
	u.count++
	u.toggle(ref)
}

// remove removes a user identity that has the address.
func (u *emailUsers) remove(ref Ref) {
	u.count--
	u.toggle(ref)
}

func (u *emailUsers) toggle(ref Ref) {
	if missing := 1 + len(ref.Key) - len(u.refs); missing > 0 {
		u.refs = append(u.refs, make([]byte, missing)...)
	}
	u.refs[0] ^= byte(ref.Kind)
	for i := range len(ref.Key) {
		u.refs[1+i] ^= ref.Key[i]
	}
	u.refs = bytes.TrimRight(u.refs, "\x00") // no key has a zero byte
}

// clone returns a copy that shares no memory with u.
func (u *emailUsers) clone() *emailUsers {
	return &emailUsers{u.count, slices.Clone(u.refs)}
}

// equal reports whether two values are the same.
func (u *emailUsers) equal(other *emailUsers) bool {
	return u.count == other.count && bytes.Equal(u.refs, other.refs)
}

// String describes the user identities, for a warning.
func (u *emailUsers) String() string {
	if u.count == 1 && len(u.refs) > 1 {
		return fmt.Sprintf("the %s %q", Kind(u.refs[0]), textrules.Clip(string(u.refs[1:])))
	}
	return fmt.Sprintf("%d other user identities", u.count)
}

// encode returns the value of the row, or nil if there is no row because no user identity has
// the address. It returns an error that matches [storage.ErrCorrupt] if the row that was read
// did not count a user identity that was removed.
func (u *emailUsers) encode() ([]byte, error) {
	switch {
	case u.count < 0 || u.count == 0 && len(u.refs) > 0:
		return nil, errEmailRow
	case u.count == 0:
		return nil, nil
	}
	return append(binary.AppendUvarint(nil, uint64(u.count)), u.refs...), nil
}

// errEmailRow is returned for a row of an e-mail address that is malformed, or that does not
// agree with the user identities that have the address.
var errEmailRow = fmt.Errorf("%w: the row of an e-mail address", storage.ErrCorrupt)

// decodeEmail decodes the row of an e-mail address. The result shares memory with the row. A
// row that is nil gives the zero value: no user identity has the address.
func decodeEmail(row []byte) (emailUsers, error) {
	if row == nil {
		return emailUsers{}, nil
	}
	d := layout.NewDecoder(row)
	u := emailUsers{count: int(d.Uvarint()), refs: d.Left()}
	if d.Err() != nil || u.count <= 0 {
		return emailUsers{}, errEmailRow
	}
	return u, nil
}

// emailKeys returns the keys of the rows of e-mail addresses.
func emailKeys(c layout.CustomerID, addresses []layout.EmailHash) [][]byte {
	return lo.Map(addresses, func(hash layout.EmailHash, _ int) []byte { return layout.Email(c, hash) })
}

// decodeEmails decodes the rows of e-mail addresses, in the same order.
func decodeEmails(addresses []layout.EmailHash, rows [][]byte) (map[layout.EmailHash]emailUsers, error) {
	out := make(map[layout.EmailHash]emailUsers, len(addresses))
	for i, hash := range addresses {
		u, err := decodeEmail(rows[i])
		if err != nil {
			return nil, err
		}
		out[hash] = u
	}
	return out, nil
}

// emailRows returns, for each of some plans, the rows of e-mail addresses that its edits change.
// It reads all rows that the plans have not read yet in one call.
func emailRows(ctx context.Context, r storage.Reader, plans []*changes) ([][]row, error) {
	type plannedRow struct {
		plan  int
		hash  layout.EmailHash
		edits []edit // that give or take the address
	}
	var planned []*plannedRow
	var unread []*plannedRow
	var keys [][]byte
	for i, ch := range plans {
		byHash := map[layout.EmailHash]*plannedRow{}
		change := func(hash layout.EmailHash, e edit) {
			p := byHash[hash]
			if p == nil {
				p = &plannedRow{plan: i, hash: hash}
				byHash[hash], planned = p, append(planned, p)
				if _, known := ch.emails[hash]; !known && !ch.created {
					unread, keys = append(unread, p), append(keys, layout.Email(ch.customer.id, hash))
				}
			}
			p.edits = append(p.edits, e)
		}
		for _, e := range ch.edits {
			before, had := e.old.emailHash()
			after, has := e.new.emailHash()
			if had && has && before == after && !e.replaces() {
				continue
			}
			if had {
				change(before, edit{old: e.old})
			}
			if has {
				change(after, edit{new: e.new})
			}
		}
	}
	if len(keys) > 0 {
		values, err := r.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for i, p := range unread {
			u, err := decodeEmail(values[i])
			if err != nil {
				return nil, err
			}
			ch := plans[p.plan]
			if ch.emails == nil {
				ch.emails = map[layout.EmailHash]emailUsers{}
			}
			ch.emails[p.hash] = u
		}
	}
	out := make([][]row, len(plans))
	for _, p := range planned {
		ch := plans[p.plan]
		before := ch.emails[p.hash]
		after := before.clone()
		for _, e := range p.edits {
			if e.old != nil {
				after.remove(e.old.ref())
			} else {
				after.add(e.new.ref())
			}
		}
		if after.equal(&before) {
			continue
		}
		value, err := after.encode()
		if err != nil {
			return nil, err
		}
		out[p.plan] = append(out[p.plan], row{layout.Email(ch.customer.id, p.hash), value})
	}
	return out, nil
}
