package web

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

const (
	pageLimit  = 50
	countLimit = 1000 // the number up to which a list with filters is counted

	cursorParam = "cursor"
	orderParam  = "order"
	orderDown   = "down"
)

// pager is the part of a list that says which of its items the page shows, and leads to other pages.
type pager struct {
	Range                 string // such as "51–100 of 5,000"; "" if nothing is known
	First, Previous, Next string // paths; "" if there is no such page
	Stopped               bool   // the search reached its limit; Next continues it

	// A list whose order can be reversed has the path of the list in the other order.
	Reverse    string
	Descending bool
}

// readPage reads the page of a list that a query parameter names. It returns the first page instead of a page that a visitor
// reached backward and that begins the list, because such a page can be short.
func readPage[T data.Resource](x *exchange, param string, read func(cursor string) (portal.Page[T], error)) (portal.Page[T], error) {
	cursor := x.r.URL.Query().Get(param)
	page, err := read(cursor)
	if err == nil && cursor != "" && page.Previous == "" {
		return read("")
	}
	return page, err
}

// newPager returns the pager of a page of the list at a path. pairs are the filters of the list.
func newPager[T data.Resource](x *exchange, page portal.Page[T], param, path string, pairs ...string) pager {
	out := pager{Stopped: page.Stopped}
	to := func(cursor string) string { return x.link(path, append(slices.Clip(pairs), param, cursor)...) }
	if page.Next != "" {
		out.Next = to(page.Next)
	}
	if page.Previous != "" {
		out.Previous, out.First = to(page.Previous), to("")
	}
	n := len(page.Items)
	switch {
	case page.Total < 0 || page.AtLeast && page.Total == 0, n == 0 && !page.Stopped:
	case page.Offset < 0 || n == 0:
		if !page.AtLeast {
			out.Range = x.text("range.total", "n", page.Total)
		}
	case page.AtLeast:
		out.Range = x.text("range.more", "from", page.Offset+1, "to", page.Offset+n, "n", page.Total-1)
	default:
		out.Range = x.text("range", "from", page.Offset+1, "to", page.Offset+n, "n", page.Total)
	}
	return out
}

// descending reports whether the visitor asked for the reverse order of a list.
func (x *exchange) descending() bool { return x.r.URL.Query().Get(orderParam) == orderDown }

// order returns the value of orderParam.
func order(descending bool) string {
	if descending {
		return orderDown
	}
	return ""
}

// reversible adds the link that reverses the order of a list.
func (p *pager) reversible(x *exchange, descending bool, path string, pairs ...string) {
	p.Descending, p.Reverse = descending, x.link(path, append(slices.Clip(pairs), orderParam, order(!descending))...)
}
