package data

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// checkedEmails are rows of e-mail addresses of one customer that have been read and not yet compared with the user
// identities.
type checkedEmails struct {
	of   *checkedCustomer
	rows map[layout.EmailHash]checkedEmail
}

type checkedEmail struct {
	row   []byte
	users emailUsers // the user identities that have the address
}

// maxEmails is the maximum number of rows of e-mail addresses that are compared at once. For each such set of rows, the check
// reads all user identities of the customer.
const maxEmails = 1 << 16

func (k *checker) emailRow(ctx context.Context, c *checkedCustomer, value []byte) error {
	if k.emails.of == nil || k.emails.of.id != c.id || len(k.emails.rows) == k.maxEmails {
		if err := k.endEmails(ctx); err != nil {
			return err
		}
		k.emails = checkedEmails{c, map[layout.EmailHash]checkedEmail{}}
	}
	if _, err := decodeEmail(value); err != nil {
		return k.reportMalformed()
	}
	k.emails.rows[k.key.Email] = checkedEmail{row: value}
	return nil
}

// endEmails compares the rows in k.emails with the user identities of their customer.
func (k *checker) endEmails(ctx context.Context) error {
	emails := k.emails
	k.emails = checkedEmails{}
	if len(emails.rows) == 0 {
		return nil
	}
	for _, kind := range Kinds(ClassUserIdentity) {
		for e, err := range k.r.Scan(ctx, storage.Prefix(layout.ResourcesPrefix(emails.of.id, byte(kind))), storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			n, err := decodeRecord(emails.of.customer, Ref{kind, layout.Parse(e.Key).Key}, e.Value)
			if err != nil {
				continue // reported at the record
			}
			hash, has := n.emailHash()
			if row, known := emails.rows[hash]; has && known {
				row.users.add(n.ref())
				emails.rows[hash] = row
			}
		}
	}
	for _, hash := range slices.SortedFunc(maps.Keys(emails.rows), func(a, b layout.EmailHash) int { return bytes.Compare(a[:], b[:]) }) {
		found := emails.rows[hash]
		key := layout.Email(emails.of.id, hash)
		if found.users.count == 0 {
			k.damageAt(key, damageDangling, "no user identity has the address")
			continue
		}
		if value, err := found.users.encode(); err != nil || !bytes.Equal(value, found.row) {
			k.damageAt(key, damageDiffers, "it differs from the user identities that have the address")
		}
	}
	return nil
}
