package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textsearch"
	"github.com/customerportal-go/customerportal/storage"
)

// CustomerQuery says which customers to list.
type CustomerQuery struct {
	Text   string // in the key and the name, by the rules of [Query].Text, at most 512 bytes; filters what is read
	Limit  int    // of a page: 1 to 1000; 0 is 100
	Cursor string // Page.Next of the page before; empty is the start
}

// Customers lists the customers of the workspace in the order of their keys, with
// their counts. A page reads at most 10,000 of them, and has Stopped set if it ends
// because of that.
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
	prefix := layout.Customers(s.w.id)
	page := Page[Customer]{Items: []Customer{}}
	var texts textsearch.Texts
	for read, ahead := 0, min(limit+1, readAhead); ; ahead = readAhead {
		var keys []string
		var ids []layout.CustomerID
		for e, err := range s.r.Scan(ctx, rangeAfter(prefix, after), storage.ScanOptions{Limit: min(ahead, maxRead-read)}) {
			if err != nil {
				return Page[Customer]{}, err
			}
			k, err := layout.ParseAs(layout.ShapeCustomerKey, e.Key)
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
			if c == nil { // it is being deleted, or is not there yet
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
