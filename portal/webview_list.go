package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// WebviewQuery selects connect webviews.
type WebviewQuery struct {
	CustomerKey string             // selects the webviews of that customer; empty selects all customers
	Keep        func(Webview) bool // if it is not nil, reports whether a webview is listed

	Limit  int    // maximum number of webviews in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// maxWebviewReads is the number of portals and customers after which a page of webviews ends.
const maxWebviewReads = 10_000

// Webviews returns a page of the connect webviews of a workspace: customer by customer in the order of their keys, the newest of
// each first. A page reads at most 10,000 portals and customers, and has Stopped set if it ended for that reason. Webviews returns
// [data.ErrCustomerNotFound], [data.ErrInvalidCursor], and an error that matches [validation.ErrInvalid] for an invalid limit.
func (s *Service) Webviews(ctx context.Context, ws *data.Workspace, q WebviewQuery) (page data.Page[Webview], err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return page, err
	}
	if q.Limit == 0 {
		q.Limit = defaultListLimit
	}
	if q.Limit < 0 || q.Limit > maxListLimit {
		return page, fmt.Errorf("%w: the limit must be from 0 to %d, not %d", validation.ErrInvalid, maxListLimit, q.Limit)
	}
	var after webviewCursor
	if q.Cursor != "" && json.Unmarshal([]byte(q.Cursor), &after) != nil {
		return page, data.ErrInvalidCursor
	}
	err = ws.View(ctx, func(at *data.Snapshot) error {
		page = data.Page[Webview]{Items: []Webview{}}
		read := 0
		last := after
		each := func(c data.Customer) (more bool, err error) {
			from := uuid.Nil
			if c.Key == after.Customer {
				from = after.ID
			}
			last = webviewCursor{c.Key, from}
			if read++; read > maxWebviewReads {
				page.Stopped, page.Next = true, last.String()
				return false, nil
			}
			for e, err := range at.Reader().Scan(ctx, newestFirst(portaldata.CustomerID(c), from), storage.ScanOptions{Reverse: true}) {
				if err != nil {
					return false, err
				}
				k, err := layout.ParseAs(layout.ShapePortal, e.Key)
				if err != nil {
					return false, err
				}
				if read >= maxWebviewReads || len(page.Items) == q.Limit {
					page.Stopped, page.Next = len(page.Items) < q.Limit, last.String()
					return false, nil
				}
				read, last = read+1, webviewCursor{c.Key, k.ID}
				row, err := decodeRecord(portaldata.CustomerID(c), k.ID, e.Value)
				if err != nil {
					return false, err
				}
				if row.webview == nil {
					continue
				}
				p, err := s.findWebview(ctx, at, k.ID)
				if errors.Is(err, ErrNotFound) {
					continue // it was deleted
				}
				if err != nil {
					return false, err
				}
				w, err := s.webview(ctx, p, at)
				if err != nil {
					return false, err
				}
				if q.Keep == nil || q.Keep(w) {
					page.Items = append(page.Items, w)
				}
			}
			return true, nil
		}
		if q.CustomerKey != "" {
			c, err := at.Customer(ctx, q.CustomerKey)
			if err != nil {
				return err
			}
			return drop(each(c))
		}
		for cursor := ""; ; {
			customers, err := at.Customers(ctx, data.CustomerQuery{Limit: maxListLimit, Cursor: cursor})
			if err != nil {
				return err
			}
			for _, c := range customers.Items {
				if c.Key < after.Customer {
					continue
				}
				if more, err := each(c); err != nil || !more {
					return err
				}
			}
			if cursor = customers.Next; cursor == "" {
				return nil
			}
		}
	})
	return page, err
}

// webviewCursor is the position of a page of webviews: the last webview or portal that was read.
type webviewCursor struct {
	Customer string
	ID       uuid.UUID
}

func (c webviewCursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("portal: encoding a cursor: %v", err)) // the type has no values that JSON cannot represent
	}
	return string(b)
}

// newestFirst returns the range of the portals of a customer that are older than the one with the id before, or of all if that is
// zero.
func newestFirst(customer layout.CustomerID, before uuid.UUID) storage.Range {
	prefix := layout.PortalsPrefix(customer)
	r := storage.Prefix(prefix)
	if before != uuid.Nil {
		r.End = append(prefix[:len(prefix):len(prefix)], before[:]...)
	}
	return r
}
