package data

import (
	"bytes"
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// maxSorted is the maximum number of resources that a list in the order of names reads from edges and sorts. If there are more
// edges, the list reads the index of names and filters it.
const maxSorted = 1000

// openNames opens the streams of a list in the order of names. edges are the prefixes of the edges that select the resources;
// nil if no edges do.
func (l *listing) openNames(ctx context.Context, p *part, kinds []Kind, edges [][]byte) error {
	if edges != nil {
		found, all, err := l.readEdges(ctx, kinds, edges)
		if err != nil {
			return err
		}
		if all {
			return l.add(l.sortByName(ctx, found, p))
		}
	}
	for _, kind := range kinds {
		if err := l.add(l.s.nameStream(ctx, layout.NamesPrefix(l.customer.id, byte(kind)), kind, p), nil); err != nil {
			return err
		}
	}
	return nil
}

// readEdges returns the resources of these kinds from which edges come. It reports false if there are more than maxSorted.
func (l *listing) readEdges(ctx context.Context, kinds []Kind, edges [][]byte) (*stream, bool, error) {
	all := &part{}
	var found []candidate
	for _, prefix := range edges {
		for _, kind := range kinds {
			st := l.s.keyStream(ctx, append(slices.Clip(prefix), byte(kind)), kind, all)
			for err := st.fill(); !st.ended; err = st.fill() {
				if err != nil {
					return nil, false, err
				}
				if len(found) == maxSorted {
					st.stop()
					return nil, false, nil
				}
				st.head.owner.customer, st.hasHead = l.customer.id, false
				found = append(found, st.head)
			}
		}
	}
	return sliceStream(found, all), true, nil
}

// sortByName reads the resources of a stream and returns a stream of them in the order of names.
func (l *listing) sortByName(ctx context.Context, from *stream, p *part) (*stream, error) {
	var found, sorted []candidate
	for err := from.fill(); !from.ended; err = from.fill() {
		if err != nil {
			return nil, err
		}
		found, from.hasHead = append(found, from.head), false
	}
	l.read += min(len(found), maxSorted) // more only for Keys, whose number is limited
	for batch := range slices.Chunk(found, readAhead) {
		nodes, err := l.load(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, n := range nodes {
			if n != nil {
				if batch[i].order = n.namePosition(); p.includes(batch[i].order) {
					sorted = append(sorted, batch[i])
				}
			}
		}
	}
	slices.SortFunc(sorted, func(a, b candidate) int { return bytes.Compare(a.order, b.order) })
	return sliceStream(sorted, p), nil
}
