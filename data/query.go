package data

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/validation"
)

// Query selects the resources of a list. Every filter that is set must hold.
//
// Lists are in the order of keys. Lists of the access grants of one customer by space, by
// user or by time are in the order of their start; those without a start come first. A
// search in the access grants of one customer (Text) first lists those that have not
// ended, in the order of their start, and then those that have, the latest start first.
//
// Each page reads from an index, as described for the fields, and filters the resources
// that it reads. It ends after it has read 10,000 of them, the resources that these refer
// to included, as far as a filter needs them: a page may hold fewer than Limit, or none,
// and yet have a Next. Page.Stopped reports this.
type Query struct {
	// CustomerKey is the customer that owns the resources. If it is empty, the list is of
	// all customers of the workspace, and is read from the directory of keys, whatever the
	// other filters are.
	CustomerKey string

	Kinds []Kind   // kinds of the class that is listed; none is all kinds. Read from the records of these kinds.
	Keys  []string // keys of the resources that can be listed, if not nil, at most 10,000: read by key, in the order of keys

	ParentSiteKey string // spaces in that site: read from the edges to it
	UserKey       string // access grants of that user identity: read from the edges to it

	// SpaceKey selects the access grants to a space, or the staff members of it. If the
	// space is a site, the access grants and the staff members of the spaces in that site
	// are selected too. They are read from the edges to these spaces; for a site with more
	// than 50 spaces the index of times or the records of staff members are read, and filtered.
	SpaceKey string

	// From and Until bound a window of time: access grants that are good at some time
	// in it, From included and Until not. A zero bound is open. Read from the index of
	// times, or with SpaceKey or UserKey from their edges, which are in the order of time:
	// what ends before From is passed over by length class, and not read.
	From, Until time.Time

	// StartsFrom and EndsUntil narrow the window: access grants that start no earlier,
	// and those that end before. Those without that time are not among them. They are read
	// from the same indexes; with EndsUntil alone all that starts before it is.
	StartsFrom, EndsUntil time.Time

	// Text is a search text of at most 512 bytes: filters what is read. It holds words,
	// separated by white space, commas or semicolons. Each word must be part of one of the
	// texts of the resource, in any order. Case, accents and other marks, invisible
	// characters, the shape of apostrophes and hyphens, and differences of Unicode
	// normalization do not count; nor does the punctuation of phone numbers, if the word
	// consists of digits and such punctuation. A text that is a phone number as a whole (at
	// least 5 digits) also matches without its leading zeros. A text without words filters
	// nothing. The texts are:
	//
	//   - of a space: name, key and customer key
	//   - of a user identity: name, key, e-mail address, phone number and derived id, the id
	//     by words of at least 4 characters
	//   - of an access grant: name, key and preferred code; name, key, e-mail address and
	//     phone number of its user identity; names and keys of its spaces
	//
	// With Show, texts are only those that a reader can see; see there.
	Text string

	// Now is the time at which a search decides which access grants have ended. Zero is
	// the clock of the workspace. Later pages use the time of the first one.
	Now time.Time

	CustomMetadata CustomMetadata // all of these values: filters what is read

	// Keep, where it is not nil, reports whether a resource that passes all of these is to
	// be listed: filters what is read. Its error ends the list.
	Keep func(Resource) (bool, error)

	// Show, where it is not nil, returns for each of some resources what a reader of the
	// list can see of it, or nil if the resource is hidden; and how many resources it read
	// for that, which count for the bound of a page. It is called with the resources that
	// pass all filters, and, where Text is set, with the resources that these refer to. What
	// it returns is listed. It must return the type that it was given, and add no text.
	//
	// Text is then matched against what Show returns: against the name, key, e-mail
	// address, phone number and preferred code of the resource, and those of the resources
	// that it refers to (also the site of a space, and the spaces of a staff member), but not
	// against customer keys and derived ids. A search therefore cannot find a resource by
	// what is hidden.
	Show func([]Resource) (shown []Resource, read int, err error)

	Limit  int    // of a page: 1 to 1000; 0 is 100
	Cursor string // Page.Next of the page before, of the same query; empty is the start
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty after the last

	// Stopped reports that the page ended because it had read as many resources as a page
	// may read. There may be more items, which Next continues with.
	Stopped bool
}

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxRead      = 10_000 // resources that one page looks at
	readAhead    = 256    // the most resources that are read at once
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
	limit, err := q.validate(class)
	if err != nil {
		return Page[T]{}, err
	}
	l, err := s.listing(ctx, q, class)
	if err != nil {
		return Page[T]{}, err
	}
	defer l.close()
	public := func(n *node) Resource { return convert(n) }
	page := Page[T]{Items: []T{}}
	for ahead := limit + 1; ; {
		candidates, more, err := l.next(ctx, min(ahead, readAhead, maxRead-l.read))
		if err != nil {
			return Page[T]{}, err
		}
		items, read, err := l.filter(ctx, candidates, public)
		if err != nil {
			return Page[T]{}, err
		}
		had := len(page.Items)
		for i, item := range items {
			if item == nil {
				continue
			}
			if len(page.Items) == limit {
				return page, nil
			}
			page.Items = append(page.Items, item.(T))
			page.Next = l.cursor(candidates[i])
		}
		if !more && len(items) == len(candidates) {
			page.Next = ""
			return page, nil
		}
		if l.read += read; l.read >= maxRead {
			page.Next, page.Stopped = l.cursor(candidates[len(items)-1]), true
			return page, nil
		}
		// As many as are missing, or more and more where the filters let few through.
		if missing := limit + 1 - len(page.Items); len(page.Items)-had > len(items)/2 {
			ahead = missing
		} else {
			ahead = max(missing, 2*len(candidates))
		}
	}
}

// pageLimit is the limit of a page, with its default.
func pageLimit(limit int) (int, error) {
	if limit == 0 {
		return defaultLimit, nil
	}
	if limit < 0 || limit > maxLimit {
		return 0, fmt.Errorf("%w: a limit of %d is not from 1 to %d", validation.ErrInvalid, limit, maxLimit)
	}
	return limit, nil
}

// check refuses what cannot be asked of a class.
func (q Query) validate(class Class) (limit int, err error) {
	for _, kind := range q.Kinds {
		if !kind.valid() || kind.Class() != class {
			return 0, fmt.Errorf("%w: %v is not a kind of %s", validation.ErrInvalid, kind, class)
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
		{"a window of time", q.hasTimeWindow(), []Class{ClassAccessGrant}},
		{"CustomMetadata", len(q.CustomMetadata) > 0, []Class{ClassSpace, ClassAccessGrant}},
	} {
		if filter.set && !slices.Contains(filter.of, class) {
			return 0, fmt.Errorf("%w: %s is not a filter of a %s", validation.ErrInvalid, filter.name, class)
		}
	}
	if len(q.Keys) > maxKeys {
		return 0, fmt.Errorf("%w: %d Keys, above %d", validation.ErrInvalid, len(q.Keys), maxKeys)
	}
	if !q.From.IsZero() && !q.Until.IsZero() && !q.Until.After(q.From) {
		return 0, fmt.Errorf("%w: Until must be after From", validation.ErrInvalid)
	}
	return pageLimit(q.Limit)
}

// matches reports whether the filters hold that take only the record of a resource.
func (q *Query) matches(n *node) bool {
	switch {
	case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, n.kind),
		q.ParentSiteKey != "" && n.parentSite != q.ParentSiteKey,
		q.UserKey != "" && n.user.Key != q.UserKey,
		!q.Until.IsZero() && !n.startsAt.IsZero() && !n.startsAt.Before(q.Until),
		!q.From.IsZero() && !n.endsAt.IsZero() && !n.endsAt.After(q.From),
		!q.StartsFrom.IsZero() && (n.startsAt.IsZero() || n.startsAt.Before(q.StartsFrom)),
		!q.EndsUntil.IsZero() && (n.endsAt.IsZero() || !n.endsAt.Before(q.EndsUntil)):
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
func (q Query) hasTimeWindow() bool {
	return !q.From.IsZero() || !q.Until.IsZero() || !q.StartsFrom.IsZero() || !q.EndsUntil.IsZero()
}

// wholeMicroseconds moves the bounds of time to whole microseconds, which all stored times
// are, without a change of what they select. The indexes hold no finer times.
func (q *Query) wholeMicroseconds() {
	up := func(t time.Time) time.Time {
		if down := t.Truncate(time.Microsecond); !down.Equal(t) {
			return down.Add(time.Microsecond)
		}
		return t
	}
	q.From, q.Until = q.From.Truncate(time.Microsecond), up(q.Until)
	q.StartsFrom, q.EndsUntil = up(q.StartsFrom), up(q.EndsUntil)
}
