package access

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// attentionGroup is a part of the list of attention items.
type attentionGroup byte

const (
	groupAccounts   attentionGroup = 'a' // after an account
	groupDeviceItem attentionGroup = 'i' // after an item of a device
	groupDevices    attentionGroup = 'd' // after a device
	groupCodes      attentionGroup = 'c' // after an access code
	groupRemovals   attentionGroup = 'r' // after a removal; the id is that of the account
)

// attentionPosition is a place in the list of attention items.
type attentionPosition struct {
	group attentionGroup
	position
	item AttentionType // with groupDeviceItem
	code uuid.UUID     // with groupRemovals
}

// String returns the position as a cursor.
func (p attentionPosition) String() string {
	switch p.group {
	case groupRemovals:
		return string(p.group) + hex.EncodeToString(slices.Concat(p.id[:], p.code[:]))
	case groupDeviceItem:
		return string(p.group) + string(p.item) + ":" + p.position.String()
	}
	return string(p.group) + p.position.String()
}

// parseAttentionCursor parses a cursor. An empty cursor is the beginning.
func (c *Scope) parseAttentionCursor(cursor string) (p attentionPosition, err error) {
	if cursor == "" {
		return attentionPosition{group: groupAccounts, position: position{customer: c.customer}}, nil
	}
	p.group = attentionGroup(cursor[0])
	rest := cursor[1:]
	switch p.group {
	case groupRemovals:
		ids, err := hex.DecodeString(rest)
		if err != nil || len(ids) != len(p.id)+len(p.code) {
			return p, data.ErrInvalidCursor
		}
		copy(p.id[:], ids)
		copy(p.code[:], ids[len(p.id):])
		return p, nil
	case groupDeviceItem:
		item, of, found := strings.Cut(rest, ":")
		if !found {
			return p, data.ErrInvalidCursor
		}
		p.item, rest = AttentionType(item), of
	case groupAccounts, groupDevices, groupCodes:
	default:
		return p, data.ErrInvalidCursor
	}
	if rest == "" {
		return p, data.ErrInvalidCursor
	}
	p.position, err = c.parsePosition(rest)
	return p, err
}

// predecessor returns the id before id in the order of ids. The zero id has none, and is returned unchanged.
func predecessor(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return id
	}
	for i := len(id) - 1; ; i-- {
		id[i]--
		if id[i] != 0xff {
			return id
		}
	}
}
