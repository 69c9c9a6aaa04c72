package data

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/storage"
)

// lookups are the keys that a push looks up in the store. They do not depend on its state.
type lookups struct {
	refs    []Ref // the given resources that have a key to be found by
	at      []int // their places among the given items
	targets []Ref // by class: the resources that are referred to and may be stored

	directory [][]byte // the keys of the rows of the directory, of refs and then of targets

	emails    []layout.EmailHash // by place among the given items: the e-mail address of a user identity, or zero
	addresses []layout.EmailHash // each address that is looked up, once; a sync looks up none

	rows [][]byte          // the keys of the rows of refs and of addresses in the range of a customer
	of   layout.CustomerID // the customer of these keys
}

// lookUps returns what a push looks up. References to what is given are looked up only if what
// is given may be left out.
func (w *Workspace) lookUps(g *given, o PushOptions) *lookups {
	l := &lookups{refs: make([]Ref, 0, len(g.items)), at: make([]int, 0, len(g.items))}
	for i, it := range g.items {
		if it.kind.valid() && textrules.CheckKey(it.key) == "" {
			l.refs, l.at = append(l.refs, it.ref()), append(l.at, i)
		}
	}
	asked := map[Ref]bool{}
	for _, it := range g.items {
		it.references(func(_ refPlace, ref Ref) {
			class := byClass(ref)
			isGiven := !o.SkipInvalid && !o.KeepPortalChanges && g.byKey[class] != nil
			if ref.Kind.valid() && !isGiven && !asked[class] && textrules.CheckKey(ref.Key) == "" {
				asked[class] = true
				l.targets = append(l.targets, class)
			}
		})
	}
	l.directory = w.directoryKeys(append(l.refs[:len(l.refs):len(l.refs)], l.targets...))
	l.emails = make([]layout.EmailHash, len(g.items))
	seen := map[layout.EmailHash]bool{}
	for i, it := range g.items {
		hash, has := it.emailHash()
		l.emails[i] = hash
		if has && !seen[hash] && o.sync == nil { // after a sync no other resource is left
			seen[hash] = true
			l.addresses = append(l.addresses, hash)
		}
	}
	return l
}

// key returns the key of the resource at a place of the directory.
func (l *lookups) key(place int) string {
	if place < len(l.refs) {
		return l.refs[place].Key
	}
	return l.targets[place-len(l.refs)].Key
}

// rowsOf returns the keys of the rows in the range of a customer: of the given resources, by
// place, and then of the e-mail addresses that are looked up.
func (l *lookups) rowsOf(c layout.CustomerID) [][]byte {
	if l.of != c || l.rows == nil {
		l.of, l.rows = c, append(resourceKeys(c, l.refs), emailKeys(c, l.addresses)...)
	}
	return l.rows
}

// pushReads returns the keys that a push reads, as far as they are known beforehand.
func (w *Workspace) pushReads(g *given, l *lookups, more [][]byte) [][]byte {
	if len(g.items) > w.db.shortPlan {
		return nil // it is planned on a snapshot
	}
	rows, guess := w.customerRows(g.customerKey)
	known := len(rows) > 1
	reads := make([][]byte, 0, len(rows)+2+len(l.refs)+len(l.addresses)+len(l.directory)+len(more)) // execute adds one
	reads = append(append(reads, rows...), layout.FeedEnds(w.id))
	if known {
		reads = append(reads, l.rowsOf(guess)...)
	}
	return append(append(reads, l.directory...), more...)
}

// pushState is the part of the stored state that a push is planned on.
type pushState struct {
	customer *customer
	created  bool    // by the push
	stored   []*node // by place in lookups.refs, without their fields; nil for a resource that the customer does not have

	// By address, the stored user identities of the customer that have one of
	// lookups.addresses. It is nil for a new customer.
	emails map[layout.EmailHash]emailUsers

	// By place in the directory of lookups. Those of resources that are stored are not read;
	// nil if all are.
	owners []owner

	// By the same places: the resources of other customers, and those of this one whose kind
	// is not the given one. The slice is nil if no such resource exists.
	holders []*node

	cancelled []*cancellation // by place in lookups.refs: of those that were cancelled in a portal; nil if none was
}

// readPush reads what a push needs in at most three calls, the last of which it seldom makes.
// If the id of the customer is remembered, the first call reads the customer with its resources
// and the rows of e-mail addresses, and the second call reads the rows of the directory for all
// other keys. Otherwise the first call finds the customer, the second reads the directory, and
// the third reads the customer, its resources and the rows of e-mail addresses. The last call
// also reads the resources that belong to other customers according to the directory.
func (s *Snapshot) readPush(ctx context.Context, g *given, l *lookups, dryRun bool) (*pushState, error) {
	keys, guess := s.w.customerRows(g.customerKey)
	known := len(keys) > 1
	if known {
		keys = append(keys, l.rowsOf(guess)...)
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
			own, emails := rows[2:2+len(l.refs)], rows[2+len(l.refs):]
			if st.stored, err = decodeHeads(st.customer, l.refs, own); err != nil {
				return nil, err
			}
			if st.emails, err = decodeEmails(l.addresses, emails); err != nil {
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

	// The rest: of a customer that was not known, its record, its resources, and the rows of
	// e-mail addresses.
	var along [][]byte
	var own []int // places in lookups.refs of these resources
	switch {
	case st.customer != nil:
		id = st.customer.id
	case found:
		s.w.db.ids.remember(customerName{s.w.id, g.customerKey}, id)
		along = append(along, layout.CustomerRow(id))
		for place, ref := range l.refs {
			if o := st.owners[place]; o.customer == id && o.kind == ref.Kind {
				own, along = append(own, place), append(along, l.rowsOf(id)[place])
			}
		}
		along = append(along, l.rowsOf(id)[len(l.refs):]...)
	default:
		st.created = true
		if st.customer, along, err = s.newCustomer(g.customerKey, dryRun); err != nil {
			return nil, err
		}
	}
	cancelled, keys := l.cancelledKeys(st, id, own)
	if rows, err = s.readHolders(ctx, l, st, id, append(along, keys...)); err != nil {
		return nil, err
	}
	if st.created {
		return st, checkFree(rows)
	}
	if len(cancelled) > 0 {
		if st.cancelled, err = l.decodeCancelled(cancelled, rows[len(along):]); err != nil {
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
	for i, place := range own {
		if record := rows[1+i]; record != nil {
			if st.stored[place], err = decodeHead(st.customer, l.refs[place], record); err != nil {
				return nil, err
			}
		}
	}
	st.emails, err = decodeEmails(l.addresses, rows[1+len(own):])
	return st, err
}

// cancelledKeys returns the keys of the rows of the given resources that may have been
// cancelled in a portal, and their places in refs. own are the places of those that are stored,
// if the customer has not been read yet.
func (l *lookups) cancelledKeys(st *pushState, id layout.CustomerID, own []int) (places []int, keys [][]byte) {
	if st.created || st.customer != nil && st.customer.cancelled == 0 {
		return nil, nil
	}
	for place, ref := range l.refs {
		if len(own) > 0 && own[0] == place {
			own = own[1:]
		} else if st.stored[place] == nil {
			places, keys = append(places, place), append(keys, layout.Cancelled(id, byte(ref.Kind.Class()), ref.Key))
		}
	}
	return places, keys
}

// decodeCancelled decodes the rows of the given resources at some places in refs. It returns
// nil if none was cancelled.
func (l *lookups) decodeCancelled(places []int, rows [][]byte) (out []*cancellation, err error) {
	for i, place := range places {
		if rows[i] == nil {
			continue
		}
		if out == nil {
			out = make([]*cancellation, len(l.refs))
		}
		ref := l.refs[place]
		if out[place], err = decodeCancellation(ref.Kind.Class(), ref.Key, rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readOwners reads the rows of the directory for what is not known to be stored.
func (s *Snapshot) readOwners(ctx context.Context, l *lookups, st *pushState) error {
	var keys [][]byte
	var at []int
	for place, key := range l.directory {
		if place >= len(l.refs) || st.stored[place] == nil {
			keys, at = append(keys, key), append(at, place)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	owners, err := s.ownersAt(ctx, keys)
	if len(at) == len(l.directory) {
		st.owners = owners
		return err
	}
	st.owners = make([]owner, len(l.directory))
	for i, o := range owners {
		st.owners[at[i]] = o
	}
	return err
}

// readHolders reads what the directory says to be other customers', or of another kind than
// is given, and the rows of the keys along. id is that of the customer, or zero if it is new.
func (s *Snapshot) readHolders(ctx context.Context, l *lookups, st *pushState, id layout.CustomerID, along [][]byte) ([][]byte, error) {
	var owners []owner
	var keys []string
	var at []int
	for place, o := range st.owners {
		if o.kind == 0 || o.customer == id && (place >= len(l.refs) || o.kind == l.refs[place].Kind) {
			continue
		}
		owners, keys, at = append(owners, o), append(keys, l.key(place)), append(at, place)
	}
	if len(owners) == 0 && len(along) == 0 {
		return nil, nil
	}
	nodes, _, rows, err := s.allOwned(ctx, owners, keys, along...)
	if err != nil {
		return nil, err
	}
	if len(at) > 0 {
		st.holders = make([]*node, len(l.directory))
	}
	for i, place := range at {
		st.holders[place] = nodes[i]
	}
	return rows, nil
}

// holder returns the resource that another customer, or this one under another kind, has at a
// place of the directory, or nil if nobody else has the key.
func (st *pushState) holder(place int) *node {
	if st.holders == nil {
		return nil
	}
	return st.holders[place]
}
