package data

import (
	"context"
	"fmt"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// lookups are the keys that a push reads. They do not depend on the state of the store.
type lookups struct {
	refs    []Ref // the items that have a valid kind and key
	items   []int // for each of refs, the index of its item
	targets []Ref // by class: the targets of references that may be stored

	directory [][]byte // the keys of the directory rows: of refs, then of targets

	emails    []layout.EmailHash // for each item, the e-mail address of a user identity, or zero
	addresses []layout.EmailHash // the distinct e-mail addresses to read; empty in a sync

	spaces []string // the distinct keys of the spaces that access grants name, to read the numbers of their locks

	rows     [][]byte          // the keys of the rows of refs, of addresses and of locks in the range of customer
	customer layout.CustomerID // the customer of rows
}

// newLookups returns the keys that a push reads. A reference to another item needs a lookup only if the push may skip that
// item.
func (w *Workspace) newLookups(g *checkedPush, o PushOptions) *lookups {
	l := &lookups{refs: make([]Ref, 0, len(g.items)), items: make([]int, 0, len(g.items))}
	for i, it := range g.items {
		if it.kind.valid() && textrules.CheckKey(it.key) == "" {
			l.refs, l.items = append(l.refs, it.ref()), append(l.items, i)
		}
	}
	added := map[Ref]bool{}
	for _, it := range g.items {
		it.references(func(_ refLocation, ref Ref) {
			class := byClass(ref)
			isItem := !o.SkipInvalid && !o.KeepPortalChanges && g.byKey[class] != nil
			if ref.Kind.valid() && !isItem && !added[class] && textrules.CheckKey(ref.Key) == "" {
				added[class] = true
				l.targets = append(l.targets, class)
			}
		})
	}
	l.directory = w.directoryKeys(append(l.refs[:len(l.refs):len(l.refs)], l.targets...))
	l.spaces = grantedSpaces(g.items)
	l.emails = make([]layout.EmailHash, len(g.items))
	seen := map[layout.EmailHash]bool{}
	for i, it := range g.items {
		hash, has := it.emailHash()
		l.emails[i] = hash
		if has && !seen[hash] && o.sync == nil { // a sync reads all user identities of the customer
			seen[hash] = true
			l.addresses = append(l.addresses, hash)
		}
	}
	return l
}

// key returns the resource key of the directory row with this index.
func (l *lookups) key(index int) string {
	if index < len(l.refs) {
		return l.refs[index].Key
	}
	return l.targets[index-len(l.refs)].Key
}

// customerRows returns the keys of the rows in the range of a customer: of refs, then of addresses, then those of lockKeys.
func (l *lookups) customerRows(c layout.CustomerID) [][]byte {
	if l.customer != c || l.rows == nil {
		l.customer, l.rows = c, slices.Concat(resourceKeys(c, l.refs), emailKeys(c, l.addresses), lockKeys(c, l.spaces))
	}
	return l.rows
}

// pushReads returns the keys that a push will read, as far as they are known beforehand, followed by more.
func (w *Workspace) pushReads(g *checkedPush, l *lookups, more [][]byte) [][]byte {
	if len(g.items) > w.db.shortPlan {
		return nil // the push is planned on a snapshot
	}
	rows, guess := w.customerRows(g.customerKey)
	known := len(rows) > 1
	reads := make([][]byte, 0, len(rows)+2+len(l.refs)+len(l.addresses)+1+len(l.spaces)+len(l.directory)+len(more)) // execute adds one
	reads = append(append(reads, rows...), layout.FeedEnds(w.id))
	if known {
		reads = append(reads, l.customerRows(guess)...)
	}
	return append(append(reads, l.directory...), more...)
}

// pushState is the stored state on which a push is planned.
type pushState struct {
	customer *customer
	created  bool    // the push creates the customer
	stored   []*node // for each of lookups.refs, the customer's resource without its fields, or nil if there is none

	// emails are the stored user identities of the customer that have one of lookups.addresses, by address. It is nil if the
	// customer is new.
	emails map[layout.EmailHash]emailUsers

	// owners has the directory row for each of lookups.directory, except those of the resources in stored, which are not
	// read. It is nil if all resources are stored.
	owners []owner

	// holders has, for each of lookups.directory, the resource that prevents the use of the key: a resource of another
	// customer, or of this customer with another kind. It is nil if there is no such resource.
	holders []*node

	locked map[string]bool // those of lookups.spaces that have locks with access codes; nil if the customer has no such locks

	cancelled []*cancellation // for each of lookups.refs, its cancellation in a portal or nil; nil if there are none
}

// readPush reads the state for a push in at most three calls. The third call is rarely needed. If the id of the customer is
// cached, the first call reads the customer with its resources, the rows of e-mail addresses and the numbers of locks, and the
// second call reads the directory rows of all other keys. Otherwise the first call finds the customer, the second reads the
// directory, and the third reads the customer and its rows. The third call also reads the resources
// that belong to other customers according to the directory.
func (s *Snapshot) readPush(ctx context.Context, g *checkedPush, l *lookups, dryRun bool) (*pushState, error) {
	keys, guess := s.w.customerRows(g.customerKey)
	known := len(keys) > 1
	if known {
		keys = append(keys, l.customerRows(guess)...)
	}
	rows, err := s.r.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	id, found, err := decodeCustomerKey(rows[0])
	if err != nil {
		return nil, err
	}
	st := &pushState{}
	if found && known && id == guess {
		if st.customer, err = s.storedCustomer(id, rows[1]); err != nil {
			return nil, err
		}
		if st.customer != nil {
			own, others := rows[2:2+len(l.refs)], rows[2+len(l.refs):]
			if st.stored, err = decodeHeads(st.customer, l.refs, own); err != nil {
				return nil, err
			}
			if err := st.decodeOthers(l, others); err != nil {
				return nil, err
			}
		}
	}
	if st.stored == nil {
		st.stored = make([]*node, len(l.refs))
	}
	if err := s.readOwners(ctx, l, st); err != nil {
		return nil, err
	}

	// extra are more keys for the third call. If the id of the customer was not cached, they are its record, its resources
	// and its other rows.
	var extra [][]byte
	var own []int // the indexes in lookups.refs of these resources
	switch {
	case st.customer != nil:
		id = st.customer.id
	case found:
		s.w.db.ids.remember(customerName{s.w.id, g.customerKey}, id)
		extra = append(extra, layout.CustomerRow(id))
		for index, ref := range l.refs {
			if o := st.owners[index]; o.customer == id && o.kind == ref.Kind {
				own, extra = append(own, index), append(extra, l.customerRows(id)[index])
			}
		}
		extra = append(extra, l.customerRows(id)[len(l.refs):]...)
	default:
		st.created = true
		if st.customer, extra, err = s.newCustomer(g.customerKey, dryRun); err != nil {
			return nil, err
		}
	}
	cancelled, keys := l.cancelledKeys(st, id, own)
	if rows, err = s.readHolders(ctx, l, st, id, append(extra, keys...)); err != nil {
		return nil, err
	}
	if st.created {
		return st, checkFree(rows)
	}
	if len(cancelled) > 0 {
		if st.cancelled, err = l.decodeCancelled(cancelled, rows[len(extra):]); err != nil {
			return nil, err
		}
	}
	if st.customer != nil {
		return st, nil
	}
	if st.customer, err = s.storedCustomer(id, rows[0]); err != nil {
		return nil, err
	}
	if st.customer == nil {
		return nil, fmt.Errorf("%w: the row of customer key %q names a customer that does not exist", storage.ErrCorrupt, textrules.Clip(g.customerKey))
	}
	for i, index := range own {
		if record := rows[1+i]; record != nil {
			if st.stored[index], err = decodeHead(st.customer, l.refs[index], record); err != nil {
				return nil, err
			}
		}
	}
	return st, st.decodeOthers(l, rows[1+len(own):])
}

// decodeOthers decodes the rows of lookups.customerRows after those of the resources. More rows may follow.
func (st *pushState) decodeOthers(l *lookups, rows [][]byte) (err error) {
	if st.emails, err = decodeEmails(l.addresses, rows); err != nil {
		return err
	}
	st.locked, err = decodeLocks(l.spaces, rows[len(l.addresses):])
	return err
}

// cancelledKeys returns the keys of the rows of the resources in refs that may have been cancelled in a portal, and the
// indexes of these resources. If the customer has not been read yet, own are the indexes of its stored resources.
func (l *lookups) cancelledKeys(st *pushState, id layout.CustomerID, own []int) (indexes []int, keys [][]byte) {
	if st.created || st.customer != nil && st.customer.cancelled == 0 {
		return nil, nil
	}
	for index, ref := range l.refs {
		if len(own) > 0 && own[0] == index {
			own = own[1:]
		} else if st.stored[index] == nil {
			indexes, keys = append(indexes, index), append(keys, layout.Cancelled(id, byte(ref.Kind.Class()), ref.Key))
		}
	}
	return indexes, keys
}

// decodeCancelled decodes the rows of cancellations of the resources in refs with these indexes. It returns nil if there are
// no cancellations.
func (l *lookups) decodeCancelled(indexes []int, rows [][]byte) (out []*cancellation, err error) {
	for i, index := range indexes {
		if rows[i] == nil {
			continue
		}
		if out == nil {
			out = make([]*cancellation, len(l.refs))
		}
		ref := l.refs[index]
		if out[index], err = decodeCancellation(ref.Kind.Class(), ref.Key, rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readOwners sets st.owners. It reads the directory rows of the keys that have no resource in st.stored.
func (s *Snapshot) readOwners(ctx context.Context, l *lookups, st *pushState) error {
	var keys [][]byte
	var indexes []int
	for index, key := range l.directory {
		if index >= len(l.refs) || st.stored[index] == nil {
			keys, indexes = append(keys, key), append(indexes, index)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	owners, err := s.ownersAt(ctx, keys)
	if len(indexes) == len(l.directory) {
		st.owners = owners
		return err
	}
	st.owners = make([]owner, len(l.directory))
	for i, o := range owners {
		st.owners[indexes[i]] = o
	}
	return err
}

// readHolders sets st.holders and returns the values of the extra keys. id is the id of the customer, or zero if the
// customer is new.
func (s *Snapshot) readHolders(ctx context.Context, l *lookups, st *pushState, id layout.CustomerID, extra [][]byte) ([][]byte, error) {
	var owners []owner
	var keys []string
	var indexes []int
	for index, o := range st.owners {
		if o.kind == 0 || o.customer == id && (index >= len(l.refs) || o.kind == l.refs[index].Kind) {
			continue
		}
		owners, keys, indexes = append(owners, o), append(keys, l.key(index)), append(indexes, index)
	}
	if len(owners) == 0 && len(extra) == 0 {
		return nil, nil
	}
	nodes, _, rows, err := s.allOwned(ctx, owners, keys, extra...)
	if err != nil {
		return nil, err
	}
	if len(indexes) > 0 {
		st.holders = make([]*node, len(l.directory))
	}
	for i, index := range indexes {
		st.holders[index] = nodes[i]
	}
	return rows, nil
}

// holder returns the resource that prevents the use of a key, or nil if there is none; see pushState.holders.
func (st *pushState) holder(index int) *node {
	if st.holders == nil {
		return nil
	}
	return st.holders[index]
}
