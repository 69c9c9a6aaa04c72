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

// foldCase returns a text that is equal for texts that differ only in case. It replaces each character with the smallest one
// that is equal to it under simple case folding.
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

// emailHash returns the hash of the e-mail address of a user identity. The hash is the same for addresses that differ only in
// case. emailHash returns false if n is nil, belongs to another class or has no address.
func (n *node) emailHash() (layout.EmailHash, bool) {
	if n == nil || n.email == "" || !n.kind.valid() || n.class() != ClassUserIdentity {
		return layout.EmailHash{}, false
	}
	sum := sha256.Sum256([]byte(foldCase(n.email)))
	return layout.EmailHash(sum[:]), true
}

// emailUsers is the value of the row of an e-mail address. It describes the user identities of one customer that have the
// address. Its size does not depend on their number, and adding or removing one of them needs no other row. It identifies a
// user identity only while no other one has the address, which is enough for most warnings about a shared address.
type emailUsers struct {
	count int
	refs  []byte // XOR of the kinds and keys, without the zero bytes at the end
}

// add adds a user identity that has not been added yet.
func (u *emailUsers) add(ref Ref) {
	u.count++
	u.toggle(ref)
}

// remove removes a user identity that has been added.
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
	u.refs = bytes.TrimRight(u.refs, "\x00") // no key contains a zero byte
}

// clone returns a copy that shares no memory with u.
func (u *emailUsers) clone() *emailUsers {
	return &emailUsers{u.count, slices.Clone(u.refs)}
}

// equal reports whether two values are equal.
func (u *emailUsers) equal(other *emailUsers) bool {
	return u.count == other.count && bytes.Equal(u.refs, other.refs)
}

// String describes the user identities for a warning.
func (u *emailUsers) String() string {
	if u.count == 1 && len(u.refs) > 1 {
		return fmt.Sprintf("the %s %q", Kind(u.refs[0]), textrules.Clip(string(u.refs[1:])))
	}
	return fmt.Sprintf("%d other user identities", u.count)
}

// encode returns the value of the row, or nil if no user identity has the address and the row must be deleted. It returns an
// error that matches [storage.ErrCorrupt] if more user identities were removed than the stored row counted.
func (u *emailUsers) encode() ([]byte, error) {
	switch {
	case u.count < 0 || u.count == 0 && len(u.refs) > 0:
		return nil, errEmailRow
	case u.count == 0:
		return nil, nil
	}
	return append(binary.AppendUvarint(nil, uint64(u.count)), u.refs...), nil
}

// errEmailRow is returned for a row of an e-mail address that is malformed or does not agree with the user identities.
var errEmailRow = fmt.Errorf("%w: the row of an e-mail address", storage.ErrCorrupt)

// decodeEmail decodes the row of an e-mail address. The result shares memory with row. If row is nil, no user identity has
// the address and decodeEmail returns the zero value.
func decodeEmail(row []byte) (emailUsers, error) {
	if row == nil {
		return emailUsers{}, nil
	}
	d := layout.NewDecoder(row)
	u := emailUsers{count: int(d.Uvarint()), refs: d.Remaining()}
	if d.Err() != nil || u.count <= 0 {
		return emailUsers{}, errEmailRow
	}
	return u, nil
}

// emailKeys returns the keys of the rows of e-mail addresses.
func emailKeys(c layout.CustomerID, addresses []layout.EmailHash) [][]byte {
	return lo.Map(addresses, func(hash layout.EmailHash, _ int) []byte { return layout.Email(c, hash) })
}

// decodeEmails decodes the rows of e-mail addresses. The rows are in the order of addresses.
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

// emailRows returns for each plan the rows of e-mail addresses that its edits change. It reads in one call all rows that the
// plans have not read yet.
func emailRows(ctx context.Context, r storage.Reader, plans []*changes) ([][]row, error) {
	type plannedRow struct {
		plan  int
		hash  layout.EmailHash
		edits []edit // add or remove the address
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
