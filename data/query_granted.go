package data

import (
	"context"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maxSkippedRows is the number of consecutive rows that a scan for several keys reads in vain before it is replaced by a new
// scan that begins at the next key. Reading so many rows costs about as much as a new scan.
const maxSkippedRows = 16

// granted implements portaldata.Granted.
func (s *Snapshot) granted(ctx context.Context, customerKey string, keys []string, keep func([]AccessGrant) ([]bool, error)) (granted map[string]bool, read int, err error) {
	c, err := s.customer(ctx, customerKey)
	if err != nil {
		return nil, 0, err
	}
	granted = map[string]bool{}
	var refs []Ref
	var users []string
	flush := func() error {
		nodes, err := s.nodes(ctx, c, refs)
		if err != nil {
			return err
		}
		var grants []AccessGrant
		var grantUsers []string
		for i, n := range nodes {
			if n != nil {
				grants, grantUsers = append(grants, n.accessGrant()), append(grantUsers, users[i])
			}
		}
		kept, err := keep(grants)
		if err != nil {
			return err
		}
		for i, ok := range kept {
			granted[grantUsers[i]] = granted[grantUsers[i]] || ok
		}
		read += len(refs)
		refs, users = refs[:0], users[:0]
		return nil
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	for len(keys) > 0 {
		r := storage.Range{
			Start: layout.EdgesPrefix(c.id, byte(ClassUserIdentity), keys[0]),
			End:   storage.Prefix(layout.EdgesPrefix(c.id, byte(ClassUserIdentity), keys[len(keys)-1])).End,
		}
		skippedRows, rescan := 0, false
		for e, err := range s.r.Scan(ctx, r, storage.ScanOptions{KeysOnly: true}) {
			if err != nil {
				return nil, read, err
			}
			k, err := layout.ParseAs(layout.ShapeEdge, e.Key)
			if err != nil {
				return nil, read, err
			}
			user := k.Key
			for keys[0] < user {
				keys = keys[1:] // the range ends with the last key, so keys does not become empty
			}
			if keys[0] != user || granted[user] {
				if skippedRows++; skippedRows == maxSkippedRows {
					rescan = true
					if granted[user] {
						keys = keys[1:]
					}
					break
				}
				continue
			}
			grant := Ref{Kind(k.ReferrerKind), k.ReferrerKey}
			if grant.Kind.Class() != ClassAccessGrant {
				continue
			}
			refs, users = append(refs, grant), append(users, user)
			if skippedRows = 0; len(refs) == readAhead {
				if err := flush(); err != nil {
					return nil, read, err
				}
			}
		}
		if !rescan {
			break
		}
	}
	err = flush()
	return granted, read, err
}
