package data

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// grantedSpaces returns the distinct keys of the spaces that the access grants of a push name.
func grantedSpaces(items []*pushItem) (keys []string) {
	added := map[string]bool{}
	for _, it := range items {
		if !it.kind.valid() || it.class() != ClassAccessGrant {
			continue
		}
		for _, ref := range it.spaces {
			if !added[ref.Key] && textrules.CheckKey(ref.Key) == "" {
				added[ref.Key] = true
				keys = append(keys, ref.Key)
			}
		}
	}
	return keys
}

// lockKeys returns the keys of the rows that count the locks of a customer and those of spaces. It returns no keys without spaces.
func lockKeys(c layout.CustomerID, spaces []string) [][]byte {
	if len(spaces) == 0 {
		return nil
	}
	keys := make([][]byte, 0, 1+len(spaces))
	keys = append(keys, layout.Locks(c, ""))
	for _, space := range spaces {
		keys = append(keys, layout.Locks(c, space))
	}
	return keys
}

// decodeLocks returns the spaces to which a lock with access codes is mapped. rows are those of lockKeys, and may be followed by other
// rows. decodeLocks returns nil if the customer has no such locks.
func decodeLocks(spaces []string, rows [][]byte) (map[string]bool, error) {
	if len(spaces) == 0 || rows[0] == nil {
		return nil, nil
	}
	locked := make(map[string]bool, len(spaces))
	for i, space := range spaces {
		if row := rows[1+i]; row != nil {
			if _, err := devicerow.DecodeLocks(row); err != nil {
				return nil, err
			}
			locked[space] = true
		}
	}
	return locked, nil
}

// noLocks returns a warning for each access grant that the push applies, that has not ended, and whose spaces have no lock with access
// codes. It returns no warnings if the customer has no locks with access codes. Only the spaces in the data of the push are known, so
// access grants are ignored whose data names no space, or whose spaces are kept because they were changed in a portal.
//
// A lock of another space of the site does not count, even if it is a shared entrance: the access grant opens the building, but not
// the room.
func noLocks(g *checkedPush, st *pushState, merged []mergeResult, now time.Time, o PushOptions) (found findings) {
	if st.locked == nil {
		return found
	}
	for i, it := range g.items {
		m := &merged[i]
		if !it.kind.valid() || it.class() != ClassAccessGrant || len(it.spaces) == 0 || m.keptCancelled || m.refused(o) {
			continue
		}
		after := it.node
		if m.new != m.old { // otherwise the fields of old are not decoded, and are equal to those of the item
			after = m.new
		}
		spaces := uniqueKeys(it.spaces)
		ended := !after.endsAt.IsZero() && !after.endsAt.After(now)
		hasLock := slices.ContainsFunc(spaces, func(ref Ref) bool { return st.locked[ref.Key] })
		if ended || hasLock || !slices.Equal(uniqueKeys(after.spaces), spaces) {
			continue
		}
		found.about(it.at)("."+spaces[0].Kind.KeysField(), validation.RuleNoLock,
			"no lock with access codes is mapped to %s; map one, or nobody can be given a code for it", quotedKeys(spaces))
	}
	return found
}

// shownKeys limits the number of keys in a message.
const shownKeys = 5

// quotedKeys returns the keys of refs as a text for a message.
func quotedKeys(refs []Ref) string {
	var b strings.Builder
	for i, ref := range refs {
		switch {
		case i == shownKeys:
			fmt.Fprintf(&b, " and %d more", len(refs)-i)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", textrules.Clip(ref.Key))
	}
	return b.String()
}
