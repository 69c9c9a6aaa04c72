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
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/opaque"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
)

// Session is what an open link gives access to: one customer's portal, as far as its
// configuration goes. It is all that a front end needs.
//
// Each of its calls finds out again, in the state that it reads or writes, that the
// portal has not expired and is not revoked, that its customer is there, and what its
// configuration is by now. It returns [ErrExpired], [ErrRevoked], [ErrKeyRemoved] or
// [ErrSessionOver] where it is no longer good, and a [RefusedError] for what the
// portal does not allow. What the portal does not show is [data.ErrResourceNotFound],
// whether it is there or not.
//
// A Session is safe for concurrent use.
type Session struct {
	service  *Service
	ws       *data.Workspace
	portal   CustomerPortal // as the session began, or was found
	customer layout.CustomerID
	slot     byte // of the key that signed the link

	hash      *layout.SessionHash // of the token; nil for a session that is not kept
	token     Secret
	expiresAt time.Time
}

// SessionBytes is the number of random bytes in a token.
const SessionBytes = 16

// Resolve opens the link of a code, which is what comes after the last slash of its
// URL, for a caller that keeps no session. A link that has a MaxUses is used by it.
//
// It returns [ErrForged] for a code that this service did not make and
// [ErrExpired] for one whose time is over, both with no look at the store,
// [ErrRevoked] where the portal was revoked or went with its customer, and [ErrUsedUp].
func (s *Service) Resolve(ctx context.Context, code string) (*Session, error) {
	session, p, err := s.look(ctx, code)
	if err != nil {
		return nil, err
	}
	if p.maxUses == 0 {
		return session, nil
	}
	if err := s.use(ctx, session, nil); err != nil {
		return nil, err
	}
	return session, nil
}

// Verify says by a code alone, with no look at the store, whether it is a link of this
// service, or returns [ErrForged], and whether its time is over, or [ErrExpired].
func (s *Service) Verify(code string) error {
	_, err := s.verify(code)
	return err
}

// Peek says what the link of a code opens, and uses nothing of it. Errors are those of
// Resolve; a portal that was revoked or used up comes with the error, as long as it is
// stored.
func (s *Service) Peek(ctx context.Context, code string) (CustomerPortal, error) {
	session, _, err := s.look(ctx, code)
	if session == nil {
		return CustomerPortal{}, err
	}
	return session.portal, err
}

// OpenSession begins a session with the link of a code, and uses that. Its Token
// finds it again, and is to be had here only. Errors are those of Resolve.
func (s *Service) OpenSession(ctx context.Context, code string) (*Session, error) {
	session, _, err := s.look(ctx, code)
	if err != nil {
		return nil, err
	}
	var token [SessionBytes]byte
	if _, err := io.ReadFull(s.rand, token[:]); err != nil {
		return nil, fmt.Errorf("portal: making a token: %w", err)
	}
	hash := layout.SessionHash(sha256.Sum256(token[:]))
	if err := s.use(ctx, session, &hash); err != nil {
		return nil, err
	}
	session.hash, session.token = &hash, Secret(opaque.Encode(token[:]))
	return session, nil
}

// look reads what the link of a code opens.
func (s *Service) look(ctx context.Context, code string) (*Session, *standing, error) {
	verified, err := s.verify(code)
	if err != nil {
		return nil, nil, err
	}
	var session *Session
	var p *standing
	var stateErr error
	err = data.View(ctx, s.store, func(r storage.Reader) error {
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
		var ws *data.Workspace
		var c data.Customer
		p, ws, c, stateErr = s.live(ctx, r, to)
		if p == nil {
			return stateErr
		}
		described, err := s.describe(p, c)
		if err != nil {
			return err
		}
		if stateErr == nil && described.State == StateUsedUp {
			stateErr = ErrUsedUp
		}
		session = &Session{service: s, ws: ws, portal: described, customer: p.customer, slot: byte(verified.Slot)}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if errors.Is(stateErr, ErrExpired) {
		stateErr = errors.Join(stateErr, s.tellExpiry(ctx, p, session.ws))
	}
	return session, p, stateErr
}

// use begins a session: one more of the uses that a link has, and the rows by which a
// token finds it, where there is one.
func (s *Service) use(ctx context.Context, session *Session, hash *layout.SessionHash) error {
	to := pointer{session.customer, session.portal.ID}
	err := session.ws.BesideID(ctx, session.customer, func(ctx context.Context, tx data.CustomerTx) error {
		p, _, _, err := s.live(ctx, tx.Tx, to)
		if err != nil {
			return err
		}
		if p.maxUses > 0 {
			if p.uses >= p.maxUses {
				return ErrUsedUp
			}
			if err := tx.Tx.Put(layout.Uses(to.customer, to.portal), binary.AppendUvarint(nil, p.uses+1)); err != nil {
				return err
			}
		}
		if hash != nil {
			now := s.time()
			row := sessionRow{slot: session.slot, seenAt: now, expiresAt: now.Add(s.maxAge).Truncate(time.Microsecond)}
			if row.expiresAt.After(p.expiresAt) {
				row.expiresAt = p.expiresAt
			}
			session.expiresAt = row.expiresAt
			if err := tx.Tx.Put(layout.OwnSession(to.customer, to.portal, *hash), row.encode()); err != nil {
				return err
			}
			if err := tx.Tx.Put(layout.Session(*hash), to.encode()); err != nil {
				return err
			}
		}
		return tx.Tell(ctx, data.PortalOpened, to.portal)
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// Session finds a session by its token, and notes that it was used. A session is over
// when it was not used for Options.SessionIdle (give or take a thirtieth), after
// Options.SessionTTL, and with its portal. A session that is not good, and is still
// stored, comes with the error, so that it can be said whose it was: its Portal reads.
func (s *Service) Session(ctx context.Context, token string) (*Session, error) {
	raw, ok := opaque.Decode(token)
	if !ok || len(raw) != SessionBytes {
		return nil, ErrSessionOver
	}
	hash := layout.SessionHash(sha256.Sum256(raw))
	session := &Session{service: s, hash: &hash, token: Secret(token)}
	var row sessionRow
	known := false
	err := session.liveViewOr(ctx, func(v *view, err error) error {
		known = true
		session.ws, session.portal, session.customer = v.ws, v.portal, v.customer.ID()
		row = v.row
		session.slot, session.expiresAt = row.slot, row.expiresAt
		return err
	})
	if err != nil && known {
		return session, err
	}
	if err != nil {
		return nil, err
	}
	if now := s.time(); now.Sub(row.seenAt) > s.idle/30 {
		return session, session.touch(ctx, now)
	}
	return session, nil
}

// touch notes when the session was last used.
func (s *Session) touch(ctx context.Context, now time.Time) error {
	key := layout.OwnSession(s.customer, s.portal.ID, *s.hash)
	err := s.ws.BesideID(ctx, s.customer, func(ctx context.Context, tx data.CustomerTx) error {
		rows, err := tx.Tx.Get(ctx, key)
		if err != nil {
			return err
		}
		if rows[0] == nil {
			return ErrSessionOver
		}
		row, err := decodeSession(rows[0])
		if err != nil {
			return err
		}
		if now.Before(row.seenAt) {
			return nil // another clock is ahead
		}
		row.seenAt = now
		return tx.Tx.Put(key, row.encode())
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// End ends the session. Ending one twice is fine. A session that is not kept, as
// Resolve gives, has nothing to end.
func (s *Session) End(ctx context.Context) error {
	if s.hash == nil {
		return nil
	}
	err := s.ws.BesideID(ctx, s.customer, func(_ context.Context, tx data.CustomerTx) error {
		return tx.Tx.Delete(layout.OwnSession(s.customer, s.portal.ID, *s.hash), layout.Session(*s.hash))
	})
	if errors.Is(err, data.ErrCustomerNotFound) {
		return nil
	}
	return err
}

// Portal is the portal that the session is of, without its URL.
func (s *Session) Portal() CustomerPortal { return s.portal }

// Token finds the session again; empty for one that is not kept. It is to be stored as
// a password is: in a cookie that scripts cannot read, and in no log.
func (s *Session) Token() Secret { return s.token }

// ExpiresAt is when the session is over at the latest.
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
}

const sessionVersion = 1

func (r sessionRow) encode() []byte {
	b := layout.AppendTime([]byte{sessionVersion, r.slot}, r.seenAt)
	return layout.AppendTime(b, r.expiresAt)
}

func decodeSession(b []byte) (sessionRow, error) {
	d := layout.NewDecoder(b)
	version := d.Byte()
	r := sessionRow{slot: d.Byte(), seenAt: d.Time(), expiresAt: d.Time()}
	if d.Done() != nil || version != sessionVersion || r.slot >= keys.Slots {
		return r, fmt.Errorf("%w: the row of a session", storage.ErrCorrupt)
	}
	return r, nil
}

// parseSessionKey reads what follows [layout.Sessions] in the key of a session.
func parseSessionKey(rest []byte) (portal uuid.UUID, hash layout.SessionHash, err error) {
	d := layout.NewDecoder(rest)
	portal, hash = d.UUID(), d.SessionHash()
	if d.Done() != nil {
		err = fmt.Errorf("%w: the key of a session", storage.ErrCorrupt)
	}
	return portal, hash, err
}
