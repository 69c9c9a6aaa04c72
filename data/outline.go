package data

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The edge from an access grant to its space contains an outline of the access grant: its name, its user, its end, and the kind
// by which it refers to the space. Together with the key of the edge, this is all that a calendar shows of it. The outline consists of
// fields of the access grant only, so that it changes together with the record. The edges from an access grant to several spaces have no
// outline, since the place of such an access grant depends on all of its spaces.

// encodeOutline returns the value of an edge from n to its space.
func (n *node) encodeOutline() []byte {
	if n.class() != ClassAccessGrant || len(n.spaces) != 1 {
		return present
	}
	b := make([]byte, 0, 1+1+8+1+2+len(n.user.Key)+2+len(n.name))
	b = append(b, byte(n.spaces[0].Kind), 0)
	if !n.endsAt.IsZero() {
		b[1] = 1
		b = layout.AppendTime(b, n.endsAt)
	}
	b = append(b, byte(n.user.Kind))
	return layout.AppendBytes(layout.AppendBytes(b, n.user.Key), n.name)
}

// decodeOutline decodes the value of the edge to a space. Only the fields of the outline are set.
func decodeOutline(ref Ref, span []byte, space string, value []byte) (*node, error) {
	d := layout.NewDecoder(value)
	n := &node{kind: ref.Kind, key: ref.Key, spaces: []Ref{{Kind(d.Byte()), space}}}
	switch d.Byte() {
	case 0:
	case 1:
		n.endsAt = d.Time()
	default:
		d.Fail()
	}
	n.user.Kind = Kind(d.Byte())
	n.user.Key, n.name = d.String(), d.String()
	if span[0] != layout.SpanOpenStart {
		n.startsAt = layout.NewDecoder(span[1:]).Time()
	}
	if d.Done() != nil || !n.spaces[0].Kind.valid() || n.user.Key != "" && !n.user.Kind.valid() {
		return nil, fmt.Errorf("%w: the outline of an access grant", storage.ErrCorrupt)
	}
	return n, nil
}

// accessGrantOutlines implements portaldata.AccessGrantOutlines.
func (s *Snapshot) accessGrantOutlines(ctx context.Context, q Query) (Page[AccessGrant], error) {
	limit, err := q.validate(ClassAccessGrant)
	if err != nil {
		return Page[AccessGrant]{}, err
	}
	if q.Text != "" || len(q.CustomMetadata) > 0 || q.CustomerKey == "" {
		return Page[AccessGrant]{}, fmt.Errorf("%w: a list of outlines needs CustomerKey, and cannot have Text or CustomMetadata", validation.ErrInvalid)
	}
	l, err := s.listing(ctx, q, ClassAccessGrant)
	if err != nil {
		return Page[AccessGrant]{}, err
	}
	l.outlines = true
	return readPage(ctx, l, limit, (*node).accessGrant)
}

// loadOutlines returns the outlines of access grants. It reads the records of those whose candidates have no outline.
func (l *listing) loadOutlines(ctx context.Context, candidates []candidate) ([]*node, error) {
	out := make([]*node, len(candidates))
	var missing []Ref
	var at []int
	for i, c := range candidates {
		if out[i] = c.outline; c.outline == nil {
			missing, at = append(missing, c.ref), append(at, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	nodes, err := l.s.nodes(ctx, l.customer, missing)
	for i, n := range nodes {
		out[at[i]] = n
	}
	return out, err
}
