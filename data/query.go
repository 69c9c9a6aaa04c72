package data

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/chars"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/opaque"
	"github.com/customerportal-go/customerportal/storage"
)

// Query says which resources to list. Every filter that is set must hold.
//
// Lists are in the order of keys, but access grants by space, by user or by time
// are in the order of their start; those without a start come first. Each page reads
// from an index, as said below, and filters what it reads. Where the filters leave
// little it ends after 10,000 resources: a page may hold fewer than Limit, or none,
// and yet have a Next.
type Query struct {
	// CustomerKey is whose they are. Empty is every customer of the workspace: the
	// directory of keys is then read, whatever else is asked.
	CustomerKey string

	Kinds []Kind   // of the class that is listed; none is all. Read from the records of these kinds.
	Keys  []string // of the resources that can be listed, if not nil, at most 10,000: read by key, in the order of keys

	ParentSiteKey string // spaces in that site: read from the edges to it
	SpaceKey      string // access grants to, or staff members of, that space: read from the edges to it
	UserKey       string // access grants of that user identity: read from the edges to it

	// From and Until bound a window of time: access grants that are good at some time
	// in it, From included and Until not. A zero bound is open. Read from the index of
	// times, or with SpaceKey or UserKey from their edges, which are in the order of time:
	// what ends before From is passed over by length class, and not read.
	From, Until time.Time

	// StartsFrom and EndsUntil narrow the window: access grants that start no earlier,
	// and those that end before. Those without that time are not among them. They are read
	// from the same indexes; with EndsUntil alone all that starts before it is.
	StartsFrom, EndsUntil time.Time

	Text           string         // in the name or the key, in any case, at most 512 bytes: filters what is read
	CustomMetadata CustomMetadata // all of these values: filters what is read

	// Keep, where it is not nil, says whether a resource that passes all of these is to
	// be listed: filters what is read. Its error ends the list.
	Keep func(Resource) (bool, error)

	Limit  int    // of a page: 1 to 1000; 0 is 100
	Cursor string // Page.Next of the page before, of the same query; empty is the start

	text string // in lower case
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty after the last
}

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxRead      = 10_000 // resources that one page looks at
	readAhead    = 256    // and how many at once
	maxKeys      = maxRead
)

// Spaces lists spaces.
func (s *Snapshot) Spaces(ctx context.Context, q Query) (Page[Space], error) {
	return list(ctx, s, q, ClassSpace, (*node).space)
}

// UserIdentities lists user identities.
func (s *Snapshot) UserIdentities(ctx context.Context, q Query) (Page[UserIdentity], error) {
	return list(ctx, s, q, ClassUserIdentity, (*node).userIdentity)
}

// AccessGrants lists access grants.
func (s *Snapshot) AccessGrants(ctx context.Context, q Query) (Page[AccessGrant], error) {
	return list(ctx, s, q, ClassAccessGrant, (*node).accessGrant)
}

func list[T Resource](ctx context.Context, s *Snapshot, q Query, class Class, convert func(*node) T) (Page[T], error) {
	limit, err := q.check(class)
	if err != nil {
		return Page[T]{}, err
	}
	if q.text, err = lowerText(q.Text); err != nil {
		return Page[T]{}, err
	}
	l, err := s.open(ctx, q, class)
	if err != nil {
		return Page[T]{}, err
	}
	defer l.close()
	page := Page[T]{Items: []T{}}
	for read := 0; ; {
		ahead := min(limit-len(page.Items)+1, readAhead)
		candidates, err := l.next(ahead)
		if err != nil {
			return Page[T]{}, err
		}
		nodes, err := l.load(ctx, candidates)
		if err != nil {
			return Page[T]{}, err
		}
		for i, n := range nodes {
			if n == nil || !q.matches(n) {
				continue
			}
			item := convert(n)
			if q.Keep != nil {
				if keep, err := q.Keep(item); err != nil {
					return Page[T]{}, err
				} else if !keep {
					continue
				}
			}
			if len(page.Items) == limit {
				return page, nil
			}
			page.Items = append(page.Items, item)
			page.Next = l.cursor(candidates[i])
		}
		if len(candidates) < ahead {
			page.Next = ""
			return page, nil
		}
		if read += len(candidates); read >= maxRead {
			page.Next = l.cursor(candidates[len(candidates)-1])
			return page, nil
		}
	}
}

// pageLimit is the limit of a page, with its default.
func pageLimit(limit int) (int, error) {
	if limit == 0 {
		return defaultLimit, nil
	}
	if limit < 0 || limit > maxLimit {
		return 0, fmt.Errorf("%w: a limit of %d is not from 1 to %d", ErrInvalid, limit, maxLimit)
	}
	return limit, nil
}

// check refuses what cannot be asked of a class.
func (q Query) check(class Class) (limit int, err error) {
	for _, kind := range q.Kinds {
		if !kind.valid() || kind.Class() != class {
			return 0, fmt.Errorf("%w: %v is not a kind of %s", ErrInvalid, kind, class)
		}
	}
	for _, filter := range []struct {
		name string
		set  bool
		of   []Class
	}{
		{"ParentSiteKey", q.ParentSiteKey != "", []Class{ClassSpace}},
		{"SpaceKey", q.SpaceKey != "", []Class{ClassUserIdentity, ClassAccessGrant}},
		{"UserKey", q.UserKey != "", []Class{ClassAccessGrant}},
		{"a window of time", q.timed(), []Class{ClassAccessGrant}},
		{"CustomMetadata", len(q.CustomMetadata) > 0, []Class{ClassSpace, ClassAccessGrant}},
	} {
		if filter.set && !slices.Contains(filter.of, class) {
			return 0, fmt.Errorf("%w: %s is not a filter of a %s", ErrInvalid, filter.name, class)
		}
	}
	if len(q.Keys) > maxKeys {
		return 0, fmt.Errorf("%w: %d Keys, above %d", ErrInvalid, len(q.Keys), maxKeys)
	}
	if !q.From.IsZero() && !q.Until.IsZero() && !q.Until.After(q.From) {
		return 0, fmt.Errorf("%w: Until must be after From", ErrInvalid)
	}
	return pageLimit(q.Limit)
}

// matches is whether every filter holds.
func (q Query) matches(n *node) bool {
	switch {
	case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, n.kind),
		q.ParentSiteKey != "" && n.parentSite != q.ParentSiteKey,
		q.SpaceKey != "" && !slices.ContainsFunc(n.spaces, func(r Ref) bool { return r.Key == q.SpaceKey }),
		q.UserKey != "" && n.user.Key != q.UserKey,
		!q.Until.IsZero() && !n.startsAt.IsZero() && !n.startsAt.Before(q.Until),
		!q.From.IsZero() && !n.endsAt.IsZero() && !n.endsAt.After(q.From),
		!q.StartsFrom.IsZero() && (n.startsAt.IsZero() || n.startsAt.Before(q.StartsFrom)),
		!q.EndsUntil.IsZero() && (n.endsAt.IsZero() || !n.endsAt.Before(q.EndsUntil)),
		q.Text != "" && !contains(n.name, q.text) && !contains(n.key, q.text):
		return false
	}
	for key, want := range q.CustomMetadata {
		if n.metadata[key] != want {
			return false
		}
	}
	return true
}

// timed is whether a query asks for times.
func (q Query) timed() bool {
	return !q.From.IsZero() || !q.Until.IsZero() || !q.StartsFrom.IsZero() || !q.EndsUntil.IsZero()
}

// contains is whether text has a part, given in lower case, in any case.
func contains(text, lower string) bool { return strings.Contains(strings.ToLower(text), lower) }

// lowerText is a text to be looked for, in lower case.
func lowerText(text string) (string, error) {
	if len(text) > chars.MaxKeyBytes {
		return "", fmt.Errorf("%w: Text has %d bytes, above %d", ErrInvalid, len(text), chars.MaxKeyBytes)
	}
	return strings.ToLower(text), nil
}

// listing reads candidates for a list from several indexes at once, in one order.
type listing struct {
	s         *Snapshot
	customer  *customer // nil: each candidate's own
	customers map[layout.CustomerID]*customer
	byTime    bool
	streams   []*stream
}

// candidate is a resource that an index names, and its place in the order.
type candidate struct {
	order []byte
	ref   Ref
	owner owner // where the listing is of every customer
}

// open chooses the index that a query is read from.
func (s *Snapshot) open(ctx context.Context, q Query, class Class) (*listing, error) {
	l := &listing{s: s, customers: map[layout.CustomerID]*customer{}}
	l.byTime = class == ClassAccessGrant && q.CustomerKey != "" &&
		(q.SpaceKey != "" || q.UserKey != "" || q.timed()) && q.Keys == nil
	after, err := l.parse(q.Cursor)
	if err != nil {
		return nil, err
	}
	if q.CustomerKey != "" {
		if l.customer, err = s.customer(ctx, q.CustomerKey); err != nil {
			return nil, err
		}
	}
	switch {
	case q.Keys != nil:
		named, err := s.namedStream(ctx, class, q.Keys, after)
		l.streams = append(l.streams, named)
		return l, err
	case l.customer == nil:
		l.streams = append(l.streams, s.directoryStream(ctx, class, after))
		return l, nil
	}
	of := lo.Uniq(q.Kinds)
	if len(of) == 0 {
		of = Kinds(class)
	}
	var edges []byte
	switch {
	case q.SpaceKey != "":
		edges = layout.Edges(l.customer.id, byte(ClassSpace), q.SpaceKey)
	case q.UserKey != "":
		edges = layout.Edges(l.customer.id, byte(ClassUserIdentity), q.UserKey)
	case q.ParentSiteKey != "":
		edges = layout.Edges(l.customer.id, byte(ClassSpace), q.ParentSiteKey)
	}
	switch {
	case l.byTime && edges == nil:
		err = l.openTimes(ctx, q, layout.Times(l.customer.id), 0, after)
	case l.byTime:
		for _, kind := range of {
			if err == nil {
				err = l.openTimes(ctx, q, append(slices.Clip(edges), byte(kind)), kind, after)
			}
		}
	case edges != nil:
		for _, kind := range of {
			l.streams = append(l.streams, s.keyStream(ctx, append(slices.Clip(edges), byte(kind)), kind, after))
		}
	default:
		for _, kind := range of {
			l.streams = append(l.streams, s.keyStream(ctx, layout.Resources(l.customer.id, byte(kind)), kind, after))
		}
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// next is up to n more candidates, in order.
func (l *listing) next(n int) ([]candidate, error) {
	var out []candidate
	for len(out) < n {
		var first *stream
		for _, st := range l.streams {
			if err := st.fill(); err != nil {
				return nil, err
			}
			if !st.ended && (first == nil || bytes.Compare(st.head.order, first.head.order) < 0) {
				first = st
			}
		}
		if first == nil {
			break
		}
		out = append(out, first.head)
		first.full = false
	}
	return out, nil
}

// load reads the candidates; nil for one that is no resource of this workspace.
func (l *listing) load(ctx context.Context, candidates []candidate) ([]*node, error) {
	if l.customer != nil {
		refs := make([]Ref, len(candidates))
		for i, c := range candidates {
			refs[i] = c.ref
		}
		return l.s.nodes(ctx, l.customer, refs)
	}
	out := make([]*node, len(candidates))
	for i, c := range candidates {
		owner, known := l.customers[c.owner.customer]
		if !known {
			var err error
			if owner, err = l.s.customerByID(ctx, c.owner.customer); err != nil {
				return nil, err
			}
			l.customers[c.owner.customer] = owner
		}
		if owner != nil {
			nodes, err := l.s.nodes(ctx, owner, []Ref{c.ref})
			if err != nil {
				return nil, err
			}
			out[i] = nodes[0]
		}
	}
	return out, nil
}

func (l *listing) close() {
	for _, st := range l.streams {
		st.stop()
	}
}

// Orders that a cursor can be of.
const (
	orderByKey  = "k"
	orderByTime = "t"
	orderByEdge = "e"
)

func (l *listing) order() string {
	if l.byTime {
		return orderByTime
	}
	return orderByKey
}

func (l *listing) cursor(c candidate) string { return formatCursor(l.order(), c.order) }

func (l *listing) parse(cursor string) ([]byte, error) {
	after, err := parseCursor(l.order(), cursor)
	if err == nil && l.byTime && after != nil && (len(after) < 1+8+2 || after[0] > 1) {
		err = ErrInvalidCursor
	}
	return after, err
}

// cursorVersion begins every cursor.
const cursorVersion = "1"

func formatCursor(order string, at []byte) string {
	return opaque.Encode(append([]byte(cursorVersion+order), at...))
}

func parseCursor(order, cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	b, ok := opaque.Decode(cursor)
	prefix := []byte(cursorVersion + order)
	if !ok || !bytes.HasPrefix(b, prefix) || len(b) == len(prefix) || len(b) > 4*chars.MaxKeyBytes {
		return nil, ErrInvalidCursor
	}
	return b[len(prefix):], nil
}

// CustomerQuery says which customers to list.
type CustomerQuery struct {
	Text   string // in the key, in any case, at most 512 bytes; filters what is read
	Limit  int    // of a page: 1 to 1000; 0 is 100
	Cursor string // Page.Next of the page before; empty is the start
}

// Customers lists the customers of the workspace in the order of their keys, with
// their counts. A page reads at most 10,000 of them.
func (s *Snapshot) Customers(ctx context.Context, q CustomerQuery) (Page[Customer], error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return Page[Customer]{}, err
	}
	after, err := parseCursor(orderByKey, q.Cursor)
	if err != nil {
		return Page[Customer]{}, err
	}
	text, err := lowerText(q.Text)
	if err != nil {
		return Page[Customer]{}, err
	}
	prefix := layout.Customers(s.w.id)
	r := afterKey(prefix, after)
	page := Page[Customer]{Items: []Customer{}}
	read := 0
	for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return Page[Customer]{}, err
		}
		key := e.Key[len(prefix):]
		if read++; read > maxRead {
			return page, nil
		}
		if !contains(string(key), text) {
			page.Next = formatCursor(orderByKey, key)
			continue
		}
		c, err := s.customerByID(ctx, layout.NewDecoder(e.Value).CustomerID())
		if err != nil {
			return Page[Customer]{}, err
		}
		if c == nil { // it is being deleted, or is not there yet
			page.Next = formatCursor(orderByKey, key)
			continue
		}
		if len(page.Items) == limit {
			return page, nil
		}
		page.Items = append(page.Items, c.public())
		page.Next = formatCursor(orderByKey, key)
	}
	page.Next = ""
	return page, nil
}

// Referrers lists the resources that refer to one, by kind, and then by key or, for
// access grants, by time. The key is found by class, as in every reference.
func (s *Snapshot) Referrers(ctx context.Context, to Ref, limit int, cursor string) (Page[Ref], error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return Page[Ref]{}, err
	}
	after, err := parseCursor(orderByEdge, cursor)
	if err != nil {
		return Page[Ref]{}, err
	}
	n, err := s.find(ctx, to)
	if err != nil {
		return Page[Ref]{}, err
	}
	c, err := s.customer(ctx, n.meta.CustomerKey)
	if err != nil {
		return Page[Ref]{}, err
	}
	prefix := layout.Edges(c.id, byte(n.class()), n.key)
	page := Page[Ref]{Items: []Ref{}}
	for e, err := range s.r.Scan(ctx, afterKey(prefix, after), storage.ScanOptions{KeysOnly: true}) {
		if err != nil {
			return Page[Ref]{}, err
		}
		rest := e.Key[len(prefix):]
		kind, key, ok := layout.ParseEdge(rest, hasSpan)
		if !ok {
			return Page[Ref]{}, errEdge
		}
		if Kind(kind) == KindCustomerPortal {
			continue
		}
		if len(page.Items) == limit {
			return page, nil
		}
		page.Items = append(page.Items, Ref{Kind(kind), key})
		page.Next = formatCursor(orderByEdge, rest)
	}
	page.Next = ""
	return page, nil
}

var errEdge = fmt.Errorf("%w: an edge", storage.ErrCorrupt)

// afterKey is the rows under a prefix after one; nil is all.
func afterKey(prefix, after []byte) storage.Range {
	r := storage.Prefix(prefix)
	if after != nil {
		r.Start = append(append(slices.Clip(prefix), after...), 0)
	}
	return r
}

// Export is a customer as the CustomerData that recreates it, each kind in key order.
func (s *Snapshot) Export(ctx context.Context, customerKey string) (CustomerData, error) {
	c, err := s.customer(ctx, customerKey)
	if err != nil {
		return CustomerData{}, err
	}
	d := CustomerData{CustomerKey: c.key, CustomerName: c.name, CustomerTimeZone: c.timeZone}
	for _, row := range kinds {
		for n, err := range s.scanKind(ctx, c, row.kind) {
			if err != nil {
				return CustomerData{}, err
			}
			d.add(n)
		}
	}
	return d, nil
}
