package data

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// Query says which resources of a customer to list.
type Query struct {
	CustomerKey string
	Kinds       []Kind // those of the class that is listed; none is all of them
	Limit       int    // of a page: 1 to 1000; 0 is 100
	Cursor      string // Page.Next of the page before; empty is the start
}

// Page is a part of a list, in the order of keys.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; empty after the last
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Spaces lists spaces of a customer. It reads at most Limit+1 rows of each kind.
func (s *Snapshot) Spaces(ctx context.Context, q Query) (Page[Space], error) {
	return list(ctx, s, q, ClassSpace, (*node).space)
}

// UserIdentities lists user identities of a customer. It reads at most Limit+1
// rows of each kind.
func (s *Snapshot) UserIdentities(ctx context.Context, q Query) (Page[UserIdentity], error) {
	return list(ctx, s, q, ClassUserIdentity, (*node).userIdentity)
}

// AccessGrants lists access grants of a customer. It reads at most Limit+1 rows
// of each kind.
func (s *Snapshot) AccessGrants(ctx context.Context, q Query) (Page[AccessGrant], error) {
	return list(ctx, s, q, ClassAccessGrant, (*node).accessGrant)
}

func list[T any](ctx context.Context, s *Snapshot, q Query, class Class, convert func(*node) T) (Page[T], error) {
	var page Page[T]
	c, err := s.customer(ctx, q.CustomerKey)
	if err != nil {
		return page, err
	}
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	if limit < 0 || limit > maxLimit {
		return page, fmt.Errorf("%w: a limit of %d is not from 1 to %d", ErrInvalid, q.Limit, maxLimit)
	}
	of := q.Kinds
	if len(of) == 0 {
		of = Kinds(class)
	}
	var nodes []*node
	for _, kind := range of {
		if !kind.valid() || kind.Class() != class {
			return page, fmt.Errorf("%w: %v is not a kind of %s", ErrInvalid, kind, class)
		}
		found := 0
		for n, err := range s.scanKind(ctx, c, kind, after) {
			if err != nil {
				return page, err
			}
			nodes = append(nodes, n)
			if found++; found > limit {
				break
			}
		}
	}
	slices.SortFunc(nodes, func(a, b *node) int { return cmp.Compare(a.key, b.key) })
	if len(nodes) > limit {
		nodes = nodes[:limit]
		page.Next = formatCursor(nodes[limit-1].key)
	}
	page.Items = make([]T, len(nodes))
	for i, n := range nodes {
		page.Items[i] = convert(n)
	}
	return page, nil
}

// scanKind reads a customer's resources of one kind in key order, those after a
// key only ("" is the start).
func (s *Snapshot) scanKind(ctx context.Context, c *customer, kind Kind, after string) iter.Seq2[*node, error] {
	return func(yield func(*node, error) bool) {
		prefix := layout.Resources(c.id, byte(kind))
		r := storage.Prefix(prefix)
		if after != "" {
			r.Start = append(layout.Resource(c.id, byte(kind), after), 0)
		}
		for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			n, err := decodeRecord(c, Ref{kind, string(e.Key[len(prefix):])}, e.Value)
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}

// cursorVersion begins every cursor.
const cursorVersion = "1"

func formatCursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + key))
}

func parseCursor(cursor string) (key string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 2 || string(b[:1]) != cursorVersion || checkKey(string(b[1:])) != "" {
		return "", ErrInvalidCursor
	}
	return string(b[1:]), nil
}

// Export is a customer as the CustomerData that recreates it, each kind in key order.
func (s *Snapshot) Export(ctx context.Context, customerKey string) (CustomerData, error) {
	c, err := s.customer(ctx, customerKey)
	if err != nil {
		return CustomerData{}, err
	}
	d := CustomerData{CustomerKey: c.key}
	for _, row := range kinds {
		for n, err := range s.scanKind(ctx, c, row.kind, "") {
			if err != nil {
				return CustomerData{}, err
			}
			d.add(n)
		}
	}
	return d, nil
}
