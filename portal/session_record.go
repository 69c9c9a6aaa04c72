package portal

import (
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// sessionRow is the row of a stored session.
type sessionRow struct {
	slot      byte               // the slot of the key that signed the link
	seenAt    time.Time          // the last use
	expiresAt time.Time          // the end of its greatest lifetime
	ended     bool               // Session.End was called; Purge deletes the row later
	holder    *layout.HolderHash // the holder for which the use is counted, or nil if there is none
	connect   []byte             // the connection of an account that waits for the provider's own login, as pendingConnect; or empty
}

const (
	sessionVersion = 3

	sessionEnded = 1 << 0
	sessionHeld  = 1 << 1
)

// encode returns the value of the row. decodeSession decodes it.
func (r sessionRow) encode() []byte {
	var flags byte
	if r.ended {
		flags |= sessionEnded
	}
	if r.holder != nil {
		flags |= sessionHeld
	}
	b := layout.AppendTime([]byte{sessionVersion, flags, r.slot}, r.seenAt)
	b = layout.AppendTime(b, r.expiresAt)
	if r.holder != nil {
		b = append(b, r.holder[:]...)
	}
	return append(b, r.connect...)
}

// over returns the error of a session that is over at a time, or nil if it is not over.
func (r sessionRow) over(now time.Time, idle time.Duration) error {
	switch {
	case r.ended:
		return ErrSessionEnded
	case !now.Before(r.expiresAt):
		return ErrSessionAged
	case !now.Before(r.seenAt.Add(idle)):
		return ErrSessionIdle
	}
	return nil
}

func decodeSession(b []byte) (sessionRow, error) {
	d := layout.NewDecoder(b)
	version, flags := d.Byte(), d.Byte()
	r := sessionRow{slot: d.Byte(), seenAt: d.Time(), expiresAt: d.Time(), ended: flags&sessionEnded != 0}
	if flags&sessionHeld != 0 {
		holder := d.HolderHash()
		r.holder = &holder
	}
	r.connect = []byte(d.Rest())
	if d.Done() != nil || version != sessionVersion || flags&^(sessionEnded|sessionHeld) != 0 || r.slot >= keys.Slots {
		return r, fmt.Errorf("%w: the row of a session", storage.ErrCorrupt)
	}
	return r, nil
}

// sessionBytes is the number of random bytes in a token.
const sessionBytes = 16
