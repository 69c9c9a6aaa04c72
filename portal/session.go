package portal

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
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
	err := session.viewOrError(ctx, func(v *View, err error) error {
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
	key := layout.SessionRow(s.customer, s.portal.ID, *s.hash)
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
	key := layout.SessionRow(s.customer, s.portal.ID, *s.hash)
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
