package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/storage"
)

// CustomerQuery selects customers for a list.
type CustomerQuery struct {
	Text   string // compared with key and name as described at [Query].Text; at most 512 bytes
	Limit  int    // maximum number of items in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// Customers returns a page of the customers of the workspace in the order of their keys, with their counts. A page reads at
// most 10,000 customers, and has Stopped set if it ended for that reason. It returns an error that matches
// [validation.ErrInvalid] if q is not valid, and [ErrInvalidCursor] if its Cursor does not come from the same list.
func (s *Snapshot) Customers(ctx context.Context, q CustomerQuery) (Page[Customer], error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return Page[Customer]{}, err
	}
	after, err := parseCursor(orderByKey, q.Cursor)
	if err != nil {
		return Page[Customer]{}, err
	}
	text, err := parseSearchText(q.Text)
	if err != nil {
		return Page[Customer]{}, err
	}
	prefix := layout.CustomerIndexPrefix(s.w.id)
	page := Page[Customer]{Items: []Customer{}, Offset: -1, Total: -1}
	var texts textsearch.Texts
	for read, batch := 0, min(limit+1, readAhead); ; batch = readAhead {
		var keys []string
		var ids []layout.CustomerID
		for e, err := range s.r.Scan(ctx, rangeAfter(prefix, after), storage.ScanOptions{Limit: min(batch, maxRead-read)}) {
			if err != nil {
				return Page[Customer]{}, err
			}
			k, err := layout.ParseAs(layout.ShapeCustomerIndex, e.Key)
			if err != nil {
				return Page[Customer]{}, err
			}
			keys = append(keys, k.Key)
			ids = append(ids, layout.NewDecoder(e.Value).CustomerID())
		}
		if len(keys) == 0 {
			page.Next = ""
			return page, nil
		}
		customers, err := s.customersByID(ctx, ids)
		if err != nil {
			return Page[Customer]{}, err
		}
		for i, c := range customers {
			if c == nil { // the customer is being deleted, or does not exist yet
				continue
			}
			texts.Reset()
			texts.Add(c.key, c.name)
			if !text.Match(&texts) {
				continue
			}
			if len(page.Items) == limit {
				return page, nil
			}
			page.Items = append(page.Items, c.public())
			page.Next = formatCursor(orderByKey, []byte(keys[i]))
		}
		after = []byte(keys[len(keys)-1])
		if read += len(keys); read == maxRead {
			page.Next, page.Stopped = formatCursor(orderByKey, after), true
			return page, nil
		}
	}
}
