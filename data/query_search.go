package data

import (
	"context"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textsearch"
)

// A list applies its filters in the order of their cost. First it compares the record of each candidate. Then it reads the
// resources to which candidates refer, for many candidates at once, and keeps them until the end of the page. Last, it calls
// Keep and Show of the query.

// customerRef identifies a resource of a customer by class and key.
type customerRef struct {
	customer layout.CustomerID
	class    Class
	key      string
}

// relatedNode is a resource to which candidates refer.
type relatedNode struct {
	node  *node
	texts *textsearch.Texts // of the node; nil until they are needed

	showCalled bool              // the query's Show was called for the node
	shown      *textsearch.Texts // texts that Show returned; nil if the node is hidden
}

// filter returns for each candidate the resource, or nil if it does not pass all filters, and the number of resources that it
// read. The result is shorter than candidates if filtering all of them would exceed the limit of the page.
func (l *listing) filter(ctx context.Context, candidates []candidate, public func(*node) Resource) ([]Resource, int, error) {
	nodes, err := l.load(ctx, candidates)
	if err != nil {
		return nil, 0, err
	}
	q := &l.q
	for i, n := range nodes {
		if n != nil && (!l.parts[candidates[i].part].q.matches(n) || l.scope.keys != nil && !l.scope.large && !l.scope.includes(n)) {
			nodes[i] = nil
		}
	}
	read := len(candidates)
	if l.scope.large || !l.text.Empty() {
		var joined int
		if nodes, joined, err = l.loadRelated(ctx, candidates, nodes); err != nil {
			return nil, 0, err
		}
		read += joined
		for i, n := range nodes {
			if n != nil && (l.scope.large && !l.inLargeSite(candidates[i], n) || !l.text.Empty() && !l.matchesText(candidates[i], n)) {
				nodes[i] = nil
			}
		}
	}
	out := make([]Resource, len(nodes))
	for i, n := range nodes {
		if n == nil {
			continue
		}
		item := public(n)
		if q.Keep != nil {
			if keep, err := q.Keep(item); err != nil {
				return nil, 0, err
			} else if !keep {
				continue
			}
		}
		out[i] = item
	}
	if q.Show != nil {
		shown, err := l.applyShow(candidates, nodes, out)
		if err != nil {
			return nil, 0, err
		}
		read += shown
	}
	return out, read, nil
}

// customerRef returns the customerRef of a resource to which the candidate refers.
func (c candidate) customerRef(ref Ref) customerRef {
	return customerRef{c.owner.customer, ref.Kind.Class(), ref.Key}
}

// eachRelated calls yield for each resource to which n refers and that a filter or Show needs.
func (l *listing) eachRelated(n *node, yield func(Ref)) {
	switch n.class() {
	case ClassAccessGrant:
		if n.user.Key != "" && !l.text.Empty() {
			yield(n.user)
		}
		for _, ref := range n.spaces {
			yield(ref)
		}
	case ClassUserIdentity:
		if l.q.Show != nil || l.scope.large {
			for _, ref := range n.spaces {
				yield(ref)
			}
		}
	case ClassSpace:
		if l.q.Show != nil && n.parentSite != "" {
			yield(Ref{KindSite, n.parentSite})
		}
	}
}

// loadRelated reads the resources to which nodes refer, in one call, and returns the number of resources that it read. It
// stops when the page has read its maximum, but includes at least one node. It returns the nodes whose related resources it
// has read.
func (l *listing) loadRelated(ctx context.Context, candidates []candidate, nodes []*node) ([]*node, int, error) {
	var refs []Ref
	var targets []*relatedNode
	var owners []layout.CustomerID
	for i, n := range nodes {
		if len(refs) > 0 && l.read+i+len(refs) >= maxRead {
			nodes = nodes[:i]
			break
		}
		if n == nil {
			continue
		}
		l.eachRelated(n, func(ref Ref) {
			key := candidates[i].customerRef(ref)
			if l.related[key] == nil {
				r := &relatedNode{}
				l.related[key] = r
				refs, targets, owners = append(refs, ref), append(targets, r), append(owners, key.customer)
			}
		})
	}
	if len(refs) == 0 {
		return nodes, 0, nil
	}
	read, unresolved := len(refs), make([]int, 0, len(refs)) // unresolved: indexes of the references that are not resolved yet
	if l.customer == nil {
		for i := range refs {
			unresolved = append(unresolved, i)
		}
	} else {
		// The kind of a reference is nearly always the kind of the resource, so that no lookup in the directory is needed.
		found, err := l.s.nodes(ctx, l.customer, refs)
		if err != nil {
			return nil, 0, err
		}
		for i, n := range found {
			if targets[i].node = n; n == nil {
				unresolved = append(unresolved, i)
			}
		}
	}
	if len(unresolved) == 0 {
		return nodes, read, nil
	}
	found, customers, err := l.s.findResources(ctx, lo.Map(unresolved, func(i, _ int) Ref { return refs[i] }))
	if err != nil {
		return nil, 0, err
	}
	for j, i := range unresolved {
		if found[j] != nil && customers[j].id == owners[i] {
			targets[i].node = found[j]
		}
	}
	return nodes, read, nil
}

// matchesText reports whether the texts of a resource and of those to which it refers match the text of the query.
func (l *listing) matchesText(c candidate, n *node) bool {
	l.ownTexts.Reset()
	addTexts(&l.ownTexts, n)
	if l.q.Show == nil {
		switch n.class() {
		case ClassSpace:
			l.ownTexts.Add(n.meta.CustomerKey)
		case ClassUserIdentity:
			l.ownTexts.AddID(n.meta.ID.String())
		}
	}
	l.texts = append(l.texts[:0], &l.ownTexts)
	if n.class() == ClassUserIdentity && l.q.Show == nil {
		return l.text.Match(l.texts...) // its spaces were read for the filter by site only
	}
	l.eachRelated(n, func(ref Ref) {
		r := l.related[c.customerRef(ref)]
		if r.node == nil {
			return
		}
		if r.texts == nil {
			r.texts = &textsearch.Texts{}
			addTexts(r.texts, r.node)
		}
		l.texts = append(l.texts, r.texts)
	})
	return l.text.Match(l.texts...)
}

// addTexts adds the texts of a resource that every search compares.
func addTexts(t *textsearch.Texts, n *node) {
	t.Add(n.name, n.key, n.email, n.preferredCode)
	t.AddPhone(n.phone)
}

// applyShow replaces the items with the resources that the query's Show returns. It sets an item to nil if Show hides it, or
// if the text of the query does not match the texts that Show returns. It returns the number of resources that Show read.
func (l *listing) applyShow(candidates []candidate, nodes []*node, items []Resource) (read int, err error) {
	shown, read, err := l.callShow(items)
	if err != nil {
		return 0, err
	}
	copy(items, shown)
	if l.text.Empty() {
		return read, nil
	}
	var resources []Resource
	var targets []*relatedNode
	for i, item := range items {
		if item == nil {
			continue
		}
		l.eachRelated(nodes[i], func(ref Ref) {
			if r := l.related[candidates[i].customerRef(ref)]; r.node != nil && !r.showCalled {
				r.showCalled = true
				resources, targets = append(resources, r.node.public()), append(targets, r)
			}
		})
	}
	shown, relatedRead, err := l.callShow(resources)
	if err != nil {
		return 0, err
	}
	for i, item := range shown {
		if item != nil {
			targets[i].shown = &textsearch.Texts{}
			addTexts(targets[i].shown, item.node())
		}
	}
	for i, item := range items {
		if item == nil {
			continue
		}
		l.ownTexts.Reset()
		addTexts(&l.ownTexts, item.node())
		l.texts = append(l.texts[:0], &l.ownTexts)
		l.eachRelated(nodes[i], func(ref Ref) {
			if r := l.related[candidates[i].customerRef(ref)]; r.shown != nil {
				l.texts = append(l.texts, r.shown)
			}
		})
		if !l.text.Match(l.texts...) {
			items[i] = nil
		}
	}
	return read + relatedRead, nil
}

// callShow calls the query's Show with the items that are not nil. Its result has the same length as items.
func (l *listing) callShow(items []Resource) (out []Resource, read int, err error) {
	var resources []Resource
	var indexes []int
	for i, item := range items {
		if item != nil {
			resources, indexes = append(resources, item), append(indexes, i)
		}
	}
	out = make([]Resource, len(items))
	if len(resources) == 0 {
		return out, 0, nil
	}
	shown, read, err := l.q.Show(resources)
	if err != nil {
		return nil, 0, err
	}
	for j, i := range indexes {
		out[i] = shown[j]
	}
	return out, read, nil
}
