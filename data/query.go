package data

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/validation"
)

// Query selects resources for a list. A resource is listed only if it passes all filters that are set.
//
// Lists are in the order of keys unless ByName or ByTime is set, with two exceptions. A list of the access grants of one
// customer that is filtered by space, user or time is in the order of their start times; access grants without a start time come
// first. A search in the access grants of one customer (Text) lists first those that have not ended, in the order of their start
// times, and then those that have ended, the latest start time first.
//
// Each page reads resources from one index, which the comments of the fields name, and then applies the filters. One of the
// indexes consists of edges: for each resource, the references from other resources to it. A page ends early after it has read
// 10,000 resources. If a filter also reads the resources to which these refer, they count too. Such a page has fewer than Limit
// items, possibly no items, and has Stopped and Next set.
type Query struct {
	// CustomerKey is the key of the customer that owns the resources. If it is empty, the list contains resources of all
	// customers of the workspace. Such a list always reads the directory of keys, even if other filters are set.
	CustomerKey string

	Kinds []Kind   // kinds of the listed class; empty selects all kinds. The list reads the records of these kinds.
	Keys  []string // if not nil, only the resources with these keys are listed. At most 10,000 keys. The list reads the resources by key.

	ParentSiteKey string // selects the spaces in that site. The list reads the edges to the site.
	UserKey       string // selects the access grants of that user identity. The list reads the edges to it.

	// SpaceKey selects the access grants to a space, or the staff members who have a reference to the space. If the space is
	// a site, the list also contains the access grants and staff members of the spaces in that site. The list reads the edges
	// to these spaces. For a site with more than 50 spaces it reads the index of times, or the records of staff members, and
	// filters them.
	SpaceKey string

	// SpaceKeys selects the access grants to any of these spaces, or the staff members who have a reference to one of them. A
	// site stands only for itself, not for the spaces in it. At most 100 keys, and not together with SpaceKey. nil selects
	// everything, an empty slice nothing. The list reads the edges to these spaces, as with SpaceKey.
	SpaceKeys []string

	// From and Until bound a window of time. They select the access grants that are valid at some time in the window. The
	// window includes From and excludes Until. A zero From or Until means no bound. The list reads the index of times. With
	// SpaceKey, SpaceKeys or UserKey it reads the edges instead, which are in the order of time. Access grants that ended before From
	// are mostly skipped without being read, because both indexes group access grants by their length.
	From, Until time.Time

	// StartsFrom and EndsUntil narrow the window. They select the access grants that start at StartsFrom or later, and those
	// that end before EndsUntil. Access grants without a start time or without an end time do not pass the respective filter.
	// The list reads the same indexes as for From and Until. With EndsUntil alone it reads all access grants that start
	// before EndsUntil.
	StartsFrom, EndsUntil time.Time

	// Text is a search text of at most 512 bytes. It filters the resources that were read. It holds words, separated by white
	// space, commas or semicolons. Each word must be part of one of the texts of the resource; the order of the words does
	// not matter. The comparison ignores case, accents and other marks, invisible characters, the shape of apostrophes and
	// hyphens, and differences of Unicode normalization. If a word consists of digits and the punctuation of phone numbers,
	// the comparison also ignores this punctuation. A text that is one phone number of at least 5 digits also matches without
	// its leading zeros. A text without words filters nothing. The texts of a resource are:
	//
	//   - of a space: name, key and customer key
	//   - of a user identity: name, key, e-mail address, phone number and resource id; only words of at least 4 characters are
	//     compared with the id
	//   - of an access grant: name, key and preferred code; name, key, e-mail address and phone number of its user identity;
	//     names and keys of its spaces
	//
	// With Show, the search uses other texts; see Show.
	Text string

	// Now is the time at which a search decides whether an access grant has ended. The zero value selects the clock of the
	// workspace. All pages of a list use the time of the first page.
	Now time.Time

	// ByName lists spaces or user identities of one customer in the order of their names. It ignores case and accents, compares
	// numbers by their value, so 101 comes before 1001, and is the same for all languages. Resources with the same name are in
	// the order of their keys. Only about the first 40 letters of a name count. The list reads the index of names. With Keys, or
	// with ParentSiteKey or SpaceKey if they select at most 1,000 resources, it reads these resources on every page instead.
	ByName bool

	// ByTime lists the access grants of one customer in the order of their start times, even without a filter. It cannot be
	// combined with Keys. The list reads the index of times. A search has its own order.
	ByTime bool

	Descending bool // reverses the order of the list

	CustomMetadata CustomMetadata // a resource must have all of these values. The filter applies to the resources that the list reads.

	// Keep, if it is not nil, reports whether a resource that has passed the filters above is listed. If it returns an error,
	// the list fails with that error.
	Keep func(Resource) (bool, error)

	// Show, if it is not nil, returns for each of the given resources the part that the reader of the list may see, or nil if
	// the resource is hidden from the reader. It also returns the number of resources that it read, which count towards the
	// limit of the page. The list calls Show with the resources that have passed all other filters and, if Text is set, with
	// the resources to which they refer. The list contains the resources that Show returns. Show must return resources of the
	// same type and in the same order, and must not add text to them.
	//
	// If Show is set, the list compares Text with the resources that Show returns: with the name, key, e-mail address, phone
	// number and preferred code of the resource and of the resources to which it refers. These include the site of a space
	// and the spaces of a staff member. It does not compare Text with customer keys and resource ids. A search therefore
	// cannot find a resource by hidden data.
	Show func([]Resource) (shown []Resource, read int, err error)

	Limit  int    // maximum number of items in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next or Page.Previous of another page of the same query; empty selects the first page

	// CountLimit, if it is not 0, makes the list count its items, at most up to this number; see [Page].Total. The first page
	// reads further resources for this purpose, within the limit of a page.
	CountLimit int
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty on the last page

	// Previous is the cursor of the previous page; empty on the first page. The pages before a page contain the items that are
	// before the place at which the page begins, even if items were added or deleted meanwhile. The first page may then have
	// fewer items than Limit. Only Spaces, UserIdentities and AccessGrants set it.
	Previous string

	// Offset is the number of items on the pages before this page. It is -1 if it is not known: if the customer changed after
	// the first page was read, if the query is not the same, or if the list contains the resources of all customers. It does not
	// take notice of changes of what Keep and Show return.
	Offset int

	// Total is the number of items of the list. It is -1 if it is not known. AtLeast reports whether the list has more items
	// than Total, because it was not counted to its end.
	Total   int
	AtLeast bool

	// Stopped reports whether the page ended early because it read the maximum number of resources. Next, or Previous if the
	// page was read with such a cursor, then continues the list.
	Stopped bool
}

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxRead      = 10_000 // maximum number of resources that one page reads
	readAhead    = 256    // maximum number of resources that one call reads
	maxKeys      = maxRead
	maxSpaceKeys = 100
)

// Spaces returns a page of the spaces that q selects. It returns an error that matches [validation.ErrInvalid] if q is not
// valid, [ErrInvalidCursor] if its Cursor does not come from the same list, and [ErrCustomerNotFound] if its customer does
// not exist.
func (s *Snapshot) Spaces(ctx context.Context, q Query) (Page[Space], error) {
	return list(ctx, s, q, ClassSpace, (*node).space)
}

// UserIdentities returns a page of the user identities that q selects. It returns the errors of [Snapshot.Spaces].
func (s *Snapshot) UserIdentities(ctx context.Context, q Query) (Page[UserIdentity], error) {
	return list(ctx, s, q, ClassUserIdentity, (*node).userIdentity)
}

// AccessGrants returns a page of the access grants that q selects. It returns the errors of [Snapshot.Spaces].
func (s *Snapshot) AccessGrants(ctx context.Context, q Query) (Page[AccessGrant], error) {
	return list(ctx, s, q, ClassAccessGrant, (*node).accessGrant)
}

// pageLimit returns the number of items of a page, which is the default if limit is 0.
func pageLimit(limit int) (int, error) {
	if limit == 0 {
		return defaultLimit, nil
	}
	if limit < 0 || limit > maxLimit {
		return 0, fmt.Errorf("%w: the limit is %d; it must be from 1 to %d, or 0 for the default", validation.ErrInvalid, limit, maxLimit)
	}
	return limit, nil
}

// validate returns an error that matches [validation.ErrInvalid] if the query is not valid for a list of this class. It
// returns the number of items of a page.
func (q Query) validate(class Class) (limit int, err error) {
	for _, kind := range q.Kinds {
		if !kind.valid() || kind.Class() != class {
			return 0, fmt.Errorf("%w: Kinds must not contain %v, which is not a kind of %s", validation.ErrInvalid, kind, class)
		}
	}
	for _, filter := range []struct {
		name    string
		set     bool
		classes []Class
	}{
		{"ParentSiteKey", q.ParentSiteKey != "", []Class{ClassSpace}},
		{"SpaceKey", q.SpaceKey != "", []Class{ClassUserIdentity, ClassAccessGrant}},
		{"SpaceKeys", q.SpaceKeys != nil, []Class{ClassUserIdentity, ClassAccessGrant}},
		{"UserKey", q.UserKey != "", []Class{ClassAccessGrant}},
		{"a window of time", q.hasTimeWindow(), []Class{ClassAccessGrant}},
		{"CustomMetadata", len(q.CustomMetadata) > 0, []Class{ClassSpace, ClassAccessGrant}},
	} {
		if filter.set && !slices.Contains(filter.classes, class) {
			return 0, fmt.Errorf("%w: %s cannot filter a list of the class %s", validation.ErrInvalid, filter.name, class)
		}
	}
	switch {
	case q.ByName && (class == ClassAccessGrant || q.CustomerKey == ""):
		return 0, fmt.Errorf("%w: ByName needs a list of spaces or user identities, and CustomerKey", validation.ErrInvalid)
	case q.ByTime && (class != ClassAccessGrant || q.CustomerKey == "" || q.Keys != nil):
		return 0, fmt.Errorf("%w: ByTime needs a list of access grants and CustomerKey, and cannot be combined with Keys", validation.ErrInvalid)
	case q.CountLimit < 0:
		return 0, fmt.Errorf("%w: CountLimit is %d; it must not be negative", validation.ErrInvalid, q.CountLimit)
	}
	if q.SpaceKeys != nil && q.SpaceKey != "" {
		return 0, fmt.Errorf("%w: SpaceKeys cannot be combined with SpaceKey", validation.ErrInvalid)
	}
	if len(q.SpaceKeys) > maxSpaceKeys {
		return 0, fmt.Errorf("%w: SpaceKeys has %d elements; at most %d are allowed", validation.ErrInvalid, len(q.SpaceKeys), maxSpaceKeys)
	}
	if len(q.Keys) > maxKeys {
		return 0, fmt.Errorf("%w: Keys has %d elements; at most %d are allowed", validation.ErrInvalid, len(q.Keys), maxKeys)
	}
	if !q.From.IsZero() && !q.Until.IsZero() && !q.Until.After(q.From) {
		return 0, fmt.Errorf("%w: Until must be after From", validation.ErrInvalid)
	}
	return pageLimit(q.Limit)
}

// matches reports whether a resource passes the filters that need nothing but its record.
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

// hasTimeWindow reports whether the query has a filter for times.
func (q Query) hasTimeWindow() bool {
	return !q.From.IsZero() || !q.Until.IsZero() || !q.StartsFrom.IsZero() || !q.EndsUntil.IsZero()
}

// wholeMicroseconds rounds the bounds of time to whole microseconds. Stored times have no fraction of a microsecond, so the
// query still selects the same access grants.
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
