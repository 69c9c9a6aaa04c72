package portal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Session gives access to one customer's portal, as its configuration allows. A front end
// needs nothing else: it reads with [Session.View], and writes with the other methods.
//
// View and each write check, in the state that they read or write, that the portal has not
// expired and is not revoked and that its customer exists, and use the portal's current
// configuration. They return [ErrExpired], [ErrRevoked], [ErrKeyRemoved] or [ErrSessionOver]
// if the session is no longer good, and a [RefusedError] for what the portal does not allow.
// A resource that the portal does not show is [data.ErrResourceNotFound], whether it exists
// or not.
//
// Writes take [WriteOptions]. A write that creates or edits a resource returns the resource as
// the portal shows it, from the transaction that wrote it. If a write returns an error, nothing was written, unless the
// error matches [storage.ErrUnknown].
//
// A Session is safe for concurrent use.
type Session struct {
	service  *Service
	ws       *data.Workspace
	portal   CustomerPortal // as the session began, or was found
	customer layout.CustomerID
	slot     byte // of the key that signed the link

	hash      *layout.SessionHash // of the token; nil for a session that is not kept
	holder    *layout.HolderHash  // that the use was counted for; nil if there is none
	held      bool                // the holder had a use as the link was looked at
	token     Secret
	expiresAt time.Time
}

// sessionBytes is the number of random bytes in a token.
const sessionBytes = 16

// Resolve opens the link of a code, which is the part of the link's URL after the last slash, see
// [Code]. It is for a caller that does not need to find the session again: the session is not
// stored and has no Token. If the link has a MaxUses, Resolve counts one use.
//
// Without reading the store, it returns [ErrForged] for a code that this service did not make and
// [ErrExpired] for a code that has expired. It returns [ErrRevoked] if the portal was revoked or
// deleted with its customer, and [ErrUsedUp] if no use is left.
func (s *Service) Resolve(ctx context.Context, code string) (*Session, error) {
	session, p, err := s.look(ctx, code, "")
	if err != nil {
		return nil, err
	}
	if p.maxUses == 0 {
		return session, nil
	}
	if err := s.use(ctx, session); err != nil {
		return nil, err
	}
	return session, nil
}

// Verify checks a code without reading the store. It returns [ErrForged] if the code is not
// that of a link of this service, and [ErrExpired] if its time is over.
func (s *Service) Verify(code string) error {
	_, err := s.verify(code)
	return err
}

// Peek returns the portal that the link of a code opens, and does not count a use. Errors are
// those of Resolve; a portal that was revoked or used up is returned along with the error, as
// long as it is stored.
//
// holder is that of [Service.OpenSession], or empty. held reports whether a use of the link was
// counted for the holder: the link then opens again for the holder, and Peek does not return
// [ErrUsedUp].
func (s *Service) Peek(ctx context.Context, code string, holder Secret) (p CustomerPortal, held bool, err error) {
	session, _, err := s.look(ctx, code, holder)
	if session == nil {
		return CustomerPortal{}, false, err
	}
	return session.portal, session.held, err
}

// OpenSession begins a session with the link of a code. If the link has a MaxUses, it counts one
// use. [Service.Session] finds the session again by its Token, which only the returned Session
// has.
//
// holder makes repeated calls from the same browser count once. It is a secret of at least 16
// random bytes that the caller keeps with one browser, such as in a cookie. A link with a
// MaxUses counts each holder once, also if two calls run at the same time: a holder can open the
// link again after its session is over, without another use, until the portal expires or
// [Session.End] is called. If holder is empty, every call counts.
//
// A holder opens nothing without the code. The store keeps the SHA-256 of the holder together
// with the portal's id, so the rows of two portals do not show that they have the same holder.
//
// OpenSession returns an error that matches [validation.ErrInvalid] if holder is too short;
// other errors are those of [Service.Resolve].
func (s *Service) OpenSession(ctx context.Context, code string, holder Secret) (*Session, error) {
	session, _, err := s.look(ctx, code, holder)
	if err != nil {
		return nil, err
	}
	var token [sessionBytes]byte
	if _, err := io.ReadFull(s.rand, token[:]); err != nil {
		return nil, fmt.Errorf("portal: making a token: %w", err)
	}
	hash := layout.SessionHash(sha256.Sum256(token[:]))
	session.hash, session.token = &hash, Secret(base64url.Encode(token[:]))
	if err := s.use(ctx, session); err != nil {
		return nil, err
	}
	return session, nil
}

// minHolder is the least length of a holder.
const minHolder = 16

// look reads the portal that the link of a code opens. holder may be empty.
func (s *Service) look(ctx context.Context, code string, holder Secret) (*Session, *standing, error) {
	if holder != "" && len(holder) < minHolder {
		return nil, nil, fmt.Errorf("%w: a holder must have at least %d bytes", validation.ErrInvalid, minHolder)
	}
	verified, err := s.verify(code)
	if err != nil {
		return nil, nil, err
	}
	var session *Session
	var p *opened
	var stateErr error
	err = s.view(ctx, func(r storage.Reader) error {
		session, p = nil, nil
		rows, err := r.Get(ctx, layout.Link(verified.ID))
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrRevoked
		}
		to, err := decodePointer(rows[0])
		if err != nil {
			return err
		}
		var along [][]byte
		var held *layout.HolderHash
		if holder != "" {
			held = holderHash(to.portal, holder)
			along = append(along, layout.Holder(to.customer, to.portal, *held))
		}
		p, stateErr = s.live(ctx, r, to, along...)
		if errors.Is(stateErr, ErrDeleted) {
			return ErrRevoked // as after its row is gone too
		}
		if p == nil {
			return stateErr
		}
		described, err := s.describe(p.standing, p.owner)
		if err != nil {
			return err
		}
		session = &Session{service: s, ws: p.ws, portal: described, customer: to.customer, slot: byte(verified.Slot)}
		if held != nil && p.maxUses > 0 {
			session.holder, session.held = held, p.along[0] != nil
		}
		if stateErr == nil && described.State == StateUsedUp && !session.held {
			stateErr = ErrUsedUp
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if errors.Is(stateErr, ErrExpired) {
		stateErr = errors.Join(stateErr, s.tellExpiry(ctx, p))
	}
	return session, p.standing, stateErr
}

// holderHash returns the hash that the row of a holder has.
func holderHash(portal uuid.UUID, holder Secret) *layout.HolderHash {
	hash := layout.HolderHash(sha256.Sum256(append(portal[:], holder...)))
	return &hash
}

// countUse counts one use of a link that has a MaxUses, unless it was counted before for
// the same holder. holder is the key of the holder's row, or nil if there is no holder, and
// held reports whether that row exists.
func countUse(tx storage.Tx, p *standing, holder []byte, held bool) error {
	if held {
		return nil
	}
	if holder != nil && p.uses < p.maxUses {
		if err := tx.Put(holder, layout.AppendTime(nil, p.expiresAt)); err != nil {
			return err
		}
	}
	if p.uses >= p.maxUses {
		return ErrUsedUp
	}
	return tx.Put(layout.Uses(p.customer, p.id), binary.AppendUvarint(nil, p.uses+1))
}

// use counts a use of the session's link, and writes the rows by which a token finds the
// session if it has a token.
func (s *Service) use(ctx context.Context, session *Session) error {
	to := pointer{session.customer, session.portal.ID}
	var holder []byte
	var along [][]byte
	if session.holder != nil {
		holder = layout.Holder(to.customer, to.portal, *session.holder)
		along = append(along, holder)
	}
	reads := append(append(to.rows(), layout.FeedEnds(session.ws.ID())), along...)
	err := portaldata.WithinUnversioned(ctx, session.ws, session.customer, func(ctx context.Context, tx data.CustomerTx) error {
		p, err := s.live(ctx, tx.Tx, to, along...)
		if err != nil {
			return err
		}
		if p.maxUses > 0 {
			if err := countUse(tx.Tx, p.standing, holder, holder != nil && p.along[0] != nil); err != nil {
				return err
			}
		}
		if hash := session.hash; hash != nil {
			now := s.time()
			row := sessionRow{slot: session.slot, seenAt: now, expiresAt: now.Add(s.maxAge).Truncate(time.Microsecond), holder: session.holder}
			if row.expiresAt.After(p.expiresAt) {
				row.expiresAt = p.expiresAt
			}
			session.expiresAt = row.expiresAt
			if err := tx.Tx.Put(layout.OwnSession(to.customer, to.portal, *hash), row.encode()); err != nil {
				return err
			}
			if err := tx.Tx.Put(layout.SessionPointer(to.customer, to.portal, *hash)); err != nil {
				return err
			}
		}
		return portaldata.AddChange(ctx, tx, portalActor(to.portal), data.PortalOpened, to.portal)
	}, reads...)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// Session finds a session by its token, and notes that the session was used. A session is over
// when it was not used for Options.SessionIdle (give or take a thirtieth), after
// Options.SessionTTL, after [Session.End], and with its portal: the errors are
// [ErrSessionIdle], [ErrSessionAged], [ErrSessionEnded] and those of [ErrGone]. If the
// session is still stored it comes with the error, and its Portal method works.
// [ErrSessionUnknown] and [ErrDeleted] come without one.
func (s *Service) Session(ctx context.Context, token string) (*Session, error) {
	return s.ViewSession(ctx, token, func(*Session, *View) error { return nil })
}

// ViewSession finds a session as [Service.Session] does, and calls fn in the same state of the
// store with the session and a View, as [Session.View] does. It returns the session with the
// error of fn.
//
// That the session was used is noted afterwards, in an Update of its own, at most once in a
// thirtieth of Options.SessionIdle. If that fails, ViewSession returns the error.
func (s *Service) ViewSession(ctx context.Context, token string, fn func(*Session, *View) error) (*Session, error) {
	raw, ok := base64url.Decode(token)
	if !ok || len(raw) != sessionBytes {
		return nil, ErrSessionUnknown
	}
	hash := layout.SessionHash(sha256.Sum256(raw))
	session := &Session{service: s, hash: &hash, token: Secret(token)}
	var row sessionRow
	found, good := false, false
	err := session.viewOr(ctx, func(v *View, err error) error {
		found = true
		session.ws, session.portal, session.customer = v.ws, v.portal, portaldata.CustomerID(v.customer)
		row = v.row
		session.slot, session.expiresAt = row.slot, row.expiresAt
		if err != nil {
			return err
		}
		good = true
		return fn(session, v)
	})
	if !found {
		return nil, err
	}
	if now := s.time(); good && now.Sub(row.seenAt) > s.idle/30 {
		if err := session.touch(ctx, now); err != nil {
			return session, err
		}
	}
	return session, err
}

// touch notes when the session was last used.
func (s *Session) touch(ctx context.Context, now time.Time) error {
	key := layout.OwnSession(s.customer, s.portal.ID, *s.hash)
	err := portaldata.WithinUnversioned(ctx, s.ws, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, key)
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrSessionUnknown
		}
		row, err := decodeSession(rows[0])
		if err != nil {
			return err
		}
		if row.ended {
			return ErrSessionEnded
		}
		if now.Before(row.seenAt) {
			return nil // another clock is ahead
		}
		row.seenAt = now
		return tx.Tx.Put(key, row.encode())
	}, key)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// End ends the session. Its holder can then no longer open the link again without another use;
// the use stays counted. End does nothing for a session that was ended before, and for one that is
// not stored, as Resolve returns it.
func (s *Session) End(ctx context.Context) error {
	if s.hash == nil {
		return nil
	}
	key := layout.OwnSession(s.customer, s.portal.ID, *s.hash)
	err := portaldata.WithinUnversioned(ctx, s.ws, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, key)
		if err != nil || rows[0] == nil {
			return err
		}
		row, err := decodeSession(rows[0])
		if err != nil || row.ended {
			return err
		}
		if row.holder != nil {
			if err := tx.Tx.Delete(layout.Holder(s.customer, s.portal.ID, *row.holder)); err != nil {
				return err
			}
		}
		row.ended, row.holder = true, nil
		return tx.Tx.Put(key, row.encode())
	}, key)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}

// Portal returns the session's portal as it was when the session began or was found, without its
// URL.
func (s *Session) Portal() CustomerPortal { return s.portal }

// Token returns the token with which [Service.Session] finds the session again. It is empty for a
// session that is not stored, as Resolve returns it. Protect it like a password: keep it in a
// cookie that scripts cannot read, and do not log it.
func (s *Session) Token() Secret { return s.token }

// ExpiresAt returns the time at which the session is over at the latest.
func (s *Session) ExpiresAt() time.Time {
	if s.hash == nil {
		return s.portal.ExpiresAt
	}
	return s.expiresAt
}

// sessionRow is the row of a session.
type sessionRow struct {
	slot      byte
	seenAt    time.Time
	expiresAt time.Time
	ended     bool               // by Session.End; the row stays until it is purged
	holder    *layout.HolderHash // nil if there is none
}

const (
	sessionVersion = 2

	sessionEnded = 1 << 0
	sessionHeld  = 1 << 1
)

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
	return b
}

// over returns the error of a session that is over at a time, or nil.
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
	if d.Done() != nil || version != sessionVersion || flags&^(sessionEnded|sessionHeld) != 0 || r.slot >= keys.Slots {
		return r, fmt.Errorf("%w: the row of a session", storage.ErrCorrupt)
	}
	return r, nil
}
