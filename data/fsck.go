package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// The rules of damage, as stable words.
const (
	damageUnknown   = "unknown"   // a key that is not one of the library's
	damageMalformed = "malformed" // a value that cannot be decoded
	damageMissing   = "missing"   // a row that another row requires does not exist
	damageDiffers   = "differs"   // two rows contradict each other
	damageDangling  = "dangling"  // the target of a row does not exist
	damageCount     = "count"     // a customer's counts differ from the number of its resources
	damageFeedGap   = "feed_gap"  // positions of the change feed without a row
)

// Damage is an inconsistency that Check found.
type Damage struct {
	// Rule is a stable word: "unknown" for a key that is not one of the library's, "malformed"
	// for a value that cannot be decoded, "missing" for a row that another row requires,
	// "differs" for two rows that contradict each other, "dangling" for a row whose target
	// does not exist, "count" for wrong counts of a customer, and "feed_gap" for positions of
	// the change feed without a row.
	Rule string

	// Row is the kind of row that it is about, such as "resource", "edge", "directory",
	// "id_index", "portal" or "feed_batch", and Key its key in the store. That holds keys of
	// the partner's.
	Row string
	Key []byte

	Message string // holds no key and no value
}

func (d Damage) String() string { return fmt.Sprintf("%s: %s: %s", d.Row, d.Rule, d.Message) }

// CheckReport is what Check found.
type CheckReport struct {
	Rows map[string]int // that were read, by kind of row

	// Damages is how many disagreements there are; Damage has the first 1000 of them.
	Damages int
	Damage  []Damage

	// Deleted counts the deleted customers whose rows wait for [Sweep]. Those rows are no
	// damage, and are not compared.
	Deleted int
}

// maxDamage bounds CheckReport.Damage.
const maxDamage = 1000

// Check walks a whole store, every workspace in it, and reports each disagreement
// between records, indexes, edges, directories, ids, portals, links, counts and the change
// feed. It reads one snapshot, so it may run while others write, and uses
// no more memory for a larger store. It reads about seven rows for each resource, and all
// user identities of a customer once more for each 65,536 e-mail addresses that they have.
//
// It is for a host to run now and then, after a crash, or on a restored backup. That
// values are those that were written is the store's to say: of Badger see
// VerifyChecksum. An error of the store ends it, with what it found so far. Check returns an
// error that matches [ErrFormat] if the store has the version of another format.
func (db *DB) Check(ctx context.Context) (CheckReport, error) { return db.check(ctx, maxEmails) }

// check is Check with a bound for the e-mail addresses that are compared at once.
func (db *DB) check(ctx context.Context, maxEmails int) (CheckReport, error) {
	var report CheckReport
	err := db.store.View(ctx, func(r storage.Reader) error {
		if _, err := checkVersion(ctx, r); err != nil && !errors.Is(err, storage.ErrCorrupt) { // a damaged row is reported
			return err
		}
		k := &checker{r: r, maxEmails: maxEmails, report: CheckReport{Rows: map[string]int{}}}
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
			k.damageAt(layout.Format(), damageMissing, "customers call for it")
		}
		return nil
	})
	return report, err
}

// checker walks a store. Rows of one customer, and of one feed, come
// together.
type checker struct {
	r      storage.Reader
	report CheckReport

	at  []byte // the row that is looked at
	key layout.Key

	known  map[layout.CustomerID]*checkedCustomer // of late
	counts struct {
		of  *checkedCustomer
		key []byte // of its record
		is  [len(kinds)]int

		cancelled uint64
	}
	maxEmails int
	emails    checkedEmails
	feed      struct {
		key  []byte // of the ends of the feed that is being read
		ends feedEnds
		next uint64
	}
}

// checkedCustomer is what the record of a customer says.
type checkedCustomer struct {
	*customer      // nil where there is none that reads
	present   bool // there is one, whether it reads or not
	waiting   bool // it is deleted, and its rows wait for the sweep
}

// maxKnown bounds the customers that are kept in memory.
const maxKnown = 1024

func (k *checker) damage(rule string, format string, args ...any) {
	k.damageAt(k.at, rule, format, args...)
}

func (k *checker) damageAt(key []byte, rule string, format string, args ...any) {
	if k.report.Damages++; len(k.report.Damage) < maxDamage {
		k.report.Damage = append(k.report.Damage, Damage{
			Rule: rule, Row: string(layout.Parse(key).Shape), Key: key, Message: fmt.Sprintf(format, args...),
		})
	}
}

// row compares one row with those that it has to agree with.
func (k *checker) row(ctx context.Context, value []byte) error {
	switch k.key.Shape {
	case layout.ShapeHost, layout.ShapeLease: // a lease belongs to a process, and nothing refers to it
		return nil
	case layout.ShapeUnknown:
		k.damage(damageUnknown, "its key is none of the library's")
		return nil
	}
	if check := rowChecks[k.key.Shape]; check != nil {
		return check(k, ctx, value)
	}
	check := customerRowChecks[k.key.Shape]
	if check == nil {
		k.damage(damageUnknown, "nothing is known of such rows")
		return nil
	}
	c, err := k.customer(ctx, k.key.Customer)
	switch {
	case err != nil:
		return err
	case c.waiting:
		return nil
	case !c.present:
		k.damage(damageDangling, "its customer is not there")
		return nil
	case c.customer == nil: // reported at the record
		return nil
	}
	return check(k, ctx, c, value)
}

// get reads rows.
func (k *checker) get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	return k.r.Get(ctx, keys...)
}

// customer reads the record of a customer.
func (k *checker) customer(ctx context.Context, id layout.CustomerID) (*checkedCustomer, error) {
	if c := k.known[id]; c != nil {
		return c, nil
	}
	rows, err := k.get(ctx, layout.CustomerRow(id), layout.DeletedCustomer(id))
	if err != nil {
		return nil, err
	}
	c := &checkedCustomer{present: rows[0] != nil, waiting: rows[0] == nil && rows[1] != nil}
	if c.present {
		c.customer, _ = decodeCustomer(id, rows[0])
	}
	if k.known == nil || len(k.known) == maxKnown {
		k.known = map[layout.CustomerID]*checkedCustomer{}
	}
	k.known[id] = c
	return c, nil
}

// endCustomer compares the counts of the customer whose rows have been read.
func (k *checker) endCustomer() {
	if c := k.counts.of; c != nil && k.counts.is != c.counts {
		k.damageAt(k.counts.key, damageCount, "it counts %v, and has %v", c.counts, k.counts.is)
	}
	if c := k.counts.of; c != nil && k.counts.cancelled != c.cancelled {
		k.damageAt(k.counts.key, damageCount, "it counts %d cancelled resources, and has %d", c.cancelled, k.counts.cancelled)
	}
	k.counts.of = nil
}

// endFeed compares the end of the feed that has been read.
func (k *checker) endFeed() {
	if k.feed.key != nil && k.feed.next != k.feed.ends.next {
		k.damageAt(k.feed.key, damageFeedGap, "its rows end before %d, and it says %d", k.feed.next, k.feed.ends.next)
	}
	k.feed.key = nil
}
