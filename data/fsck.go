package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// The values of Damage.Rule.
const (
	damageUnknown   = "unknown"   // the key has no known layout
	damageMalformed = "malformed" // a value that cannot be decoded
	damageMissing   = "missing"   // a row that another row requires does not exist
	damageDiffers   = "differs"   // two rows contradict each other
	damageDangling  = "dangling"  // the target of a row does not exist
	damageCount     = "count"     // a customer's counts differ from the number of its resources
	damageFeedGap   = "feed_gap"  // positions of the change feed without a row
)

// Damage is an inconsistency that [DB.VerifyStore] found.
type Damage struct {
	// Rule is one of these constant words: "unknown" for a key or kind that the library does not write, "malformed" for a
	// value that cannot be decoded, "missing" for a row that another row requires and that does not exist, "differs" for two
	// rows that contradict each other, "dangling" for a row whose target does not exist, "count" for wrong counts in the
	// record of a customer, and "feed_gap" for positions of the change feed without a row.
	Rule string

	// Row is the type of the damaged row, such as "resource", "edge", "directory", "id", "portal" or "feed_batch". Key is
	// the key of the row in the store. It may contain keys of the host.
	Row string
	Key []byte

	Message string // contains no keys and no values
}

func (d Damage) String() string { return fmt.Sprintf("%s: %s: %s", d.Row, d.Rule, d.Message) }

// VerifyReport is the result of [DB.VerifyStore].
type VerifyReport struct {
	Rows map[string]int // the number of rows that were read, by type of row

	// Damages is the number of inconsistencies. Damage has the first 1000 of them.
	Damages int
	Damage  []Damage

	// Deleted is the number of deleted customers whose rows wait for [DB.Sweep]. These rows are not damage, and VerifyStore
	// does not compare them.
	Deleted int
}

// maxDamage is the maximum length of VerifyReport.Damage.
const maxDamage = 1000

// VerifyStore reads all rows of the store, in every workspace, and reports each inconsistency between records, indexes, edges,
// the directory, ids, portals, links, counts, devices, access codes, removals and the change feed. It reads one snapshot, so that others can
// write meanwhile. Its memory does not depend on the size of the store. It reads about seven rows for each resource, and reads all user
// identities of a customer once more for every 65,536 e-mail addresses that they have.
//
// A host can run it at intervals, after a crash, or on a restored backup. VerifyStore does not detect a value that was replaced
// by another valid value. A store can detect that with checksums, such as VerifyChecksum of Badger. If the store returns an
// error, VerifyStore returns it together with the results so far. It returns an error that matches [ErrFormat] if the store
// has another format version.
func (db *DB) VerifyStore(ctx context.Context) (VerifyReport, error) {
	return db.verifyStore(ctx, maxEmails)
}

// verifyStore is VerifyStore with a limit on the number of e-mail addresses that it compares at once.
func (db *DB) verifyStore(ctx context.Context, maxEmails int) (VerifyReport, error) {
	var report VerifyReport
	err := db.store.View(ctx, func(r storage.Reader) error {
		if _, err := checkVersion(ctx, r); err != nil && !errors.Is(err, storage.ErrCorrupt) { // a damaged row is reported
			return err
		}
		k := &checker{r: r, maxEmails: maxEmails, report: VerifyReport{Rows: map[string]int{}}}
		defer func() { report = k.report }()
		for e, err := range r.Scan(ctx, storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			k.at, k.key = e.Key, layout.Parse(e.Key)
			k.report.Rows[string(k.key.Shape)]++
			if err := k.row(ctx, e.Value); err != nil {
				return err
			}
		}
		k.endCustomer()
		k.endFeed()
		if err := k.endEmails(ctx); err != nil {
			return err
		}
		if k.report.Rows[string(layout.ShapeCustomer)] > 0 && k.report.Rows[string(layout.ShapeFormat)] == 0 {
			k.damageAt(layout.Format(), damageMissing, "a store with customers requires it")
		}
		return nil
	})
	return report, err
}

// checker checks the rows of a store in key order. All rows of a customer, and all rows of a feed, are adjacent.
type checker struct {
	r      storage.Reader
	report VerifyReport

	at  []byte // the key of the current row
	key layout.Key

	cached map[layout.CustomerID]*checkedCustomer // recently read customers
	counts struct {
		of     *checkedCustomer
		key    []byte // the key of its record
		actual [len(kinds)]int

		cancelled uint64
		devices   checkedDevices
		locks     checkedLocks
	}
	maxEmails int
	emails    checkedEmails
	feed      struct {
		key  []byte // the key of the ends of the current feed
		ends feedEnds
		next uint64
	}
}

// checkedCustomer is the state of a customer according to its record.
type checkedCustomer struct {
	*customer         // nil if there is no record or if it cannot be decoded
	present      bool // the record exists
	sweepPending bool // the customer is deleted, and its rows wait for Sweep
}

// maxCachedCustomers is the maximum length of checker.cached.
const maxCachedCustomers = 1024

// damage reports damage of the current row.
func (k *checker) damage(rule string, format string, args ...any) {
	k.damageAt(k.at, rule, format, args...)
}

// damageAt reports damage of the row with this key.
func (k *checker) damageAt(key []byte, rule string, format string, args ...any) {
	if k.report.Damages++; len(k.report.Damage) < maxDamage {
		k.report.Damage = append(k.report.Damage, Damage{
			Rule: rule, Row: string(layout.Parse(key).Shape), Key: key, Message: fmt.Sprintf(format, args...),
		})
	}
}

// row compares the current row with the rows to which it is related.
func (k *checker) row(ctx context.Context, value []byte) error {
	switch k.key.Shape {
	case layout.ShapeHost, layout.ShapeLease: // a lease belongs to a process, and nothing refers to it
		return nil
	case layout.ShapeUnknown:
		k.damage(damageUnknown, "the key has no known layout")
		return nil
	}
	if check := rowChecks[k.key.Shape]; check != nil {
		return check(k, ctx, value)
	}
	check := customerRowChecks[k.key.Shape]
	if check == nil {
		k.damage(damageUnknown, "there is no check for rows of this type")
		return nil
	}
	c, err := k.customer(ctx, k.key.Customer)
	switch {
	case err != nil:
		return err
	case c.sweepPending:
		return nil
	case !c.present:
		k.damage(damageDangling, "its customer does not exist")
		return nil
	case c.customer == nil: // reported at the customer's record
		return nil
	}
	return check(k, ctx, c, value)
}

// get reads the rows with these keys.
func (k *checker) get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return k.r.Get(ctx, keys...)
}

// customer returns the state of a customer, from the cache if possible.
func (k *checker) customer(ctx context.Context, id layout.CustomerID) (*checkedCustomer, error) {
	if c := k.cached[id]; c != nil {
		return c, nil
	}
	rows, err := k.get(ctx, layout.CustomerRow(id), layout.DeletedCustomer(id))
	if err != nil {
		return nil, err
	}
	c := &checkedCustomer{present: rows[0] != nil, sweepPending: rows[0] == nil && rows[1] != nil}
	if c.present {
		c.customer, _ = decodeCustomer(id, rows[0])
	}
	if k.cached == nil || len(k.cached) == maxCachedCustomers {
		k.cached = map[layout.CustomerID]*checkedCustomer{}
	}
	k.cached[id] = c
	return c, nil
}

// endCustomer compares the counts in the current customer's record with the rows that were read.
func (k *checker) endCustomer() {
	if c := k.counts.of; c != nil && k.counts.actual != c.counts {
		k.damageAt(k.counts.key, damageCount, "the record counts %v, but the rows are %v", c.counts, k.counts.actual)
	}
	if c := k.counts.of; c != nil && k.counts.cancelled != c.cancelled {
		k.damageAt(k.counts.key, damageCount, "the record counts %d cancelled resources, but there are %d", c.cancelled, k.counts.cancelled)
	}
	if c := k.counts.of; c != nil {
		k.endDevices(c)
		k.endLocks(c)
	}
	k.counts.of = nil
}

// endFeed compares the stored end of the current feed with the rows that were read.
func (k *checker) endFeed() {
	if k.feed.key != nil && k.feed.next != k.feed.ends.next {
		k.damageAt(k.feed.key, damageFeedGap, "the rows end before position %d, but the stored end is %d", k.feed.next, k.feed.ends.next)
	}
	k.feed.key = nil
}
