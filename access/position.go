package access

import (
	"context"
	"iter"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// position is a place in a list of the rows of several customers. The zero position is the beginning.
type position struct {
	customer string // key
	id       uuid.UUID
}

// String returns the position as a cursor.
func (p position) String() string { return p.id.String() + p.customer }

// pageStart returns the size of a page, and the position after which it begins.
func (c *Scope) pageStart(size int, cursor string) (limit int, after position, err error) {
	if limit, err = pageLimit(size); err != nil {
		return 0, position{}, err
	}
	after, err = c.parsePosition(cursor)
	return limit, after, err
}

// parsePosition parses a cursor of a list of the scope. An empty cursor is the beginning.
func (c *Scope) parsePosition(cursor string) (position, error) {
	if cursor == "" {
		return position{customer: c.customer}, nil
	}
	const idBytes = len("00000000-0000-0000-0000-000000000000")
	if len(cursor) < idBytes {
		return position{}, data.ErrInvalidCursor
	}
	id, err := uuid.Parse(cursor[:idBytes])
	customer := cursor[idBytes:]
	if err != nil || c.customer != "" && customer != c.customer {
		return position{}, data.ErrInvalidCursor
	}
	return position{customer, id}, nil
}

// customersFrom yields the customers of the scope in the order of their keys, beginning with the first key that is not less than
// from. For the scope of a workspace it omits customers without accounts.
func (c *Scope) customersFrom(ctx context.Context, s *data.Snapshot, from string) iter.Seq2[data.Customer, error] {
	if c.customer == "" {
		return devicedata.Customers(ctx, s, c.w.ID(), from)
	}
	return func(yield func(data.Customer, error) bool) { yield(s.Customer(ctx, c.customer)) }
}
