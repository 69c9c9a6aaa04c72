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
// if the session is not valid any more, and a [RefusedError] for an action that the portal does not allow.
// For a resource that the portal does not show, they return [data.ErrResourceNotFound], whether it exists or not.
//
// Writes of resources take [WriteOptions]. A write that creates or edits a resource returns the resource as the portal shows it, from the
// transaction that wrote it. If a write returns an error, it has written nothing, unless the error matches [storage.ErrUnknown].
//
// A Session is safe for concurrent use.
type Session struct {
	service  *Service
	ws       *data.Workspace
	portal   CustomerPortal // when the session began or was found
	customer layout.CustomerID
	slot     byte // the slot of the key that signed the link

	hash      *layout.SessionHash // the hash of the token, or nil if the session is not stored
	holder    *layout.HolderHash  // the holder for which the use is counted, or nil if there is none
	held      bool                // the holder had used the link before
	token     Secret
	expiresAt time.Time
}

// Session returns the session with a token, and records that the session was used. A session is over if it was not used for
// Options.SessionIdle ([ErrSessionIdle]), after Options.SessionTTL ([ErrSessionAged]), after [Session.End] ([ErrSessionEnded])
// and when its portal is not open any more (errors that match [ErrGone]). To save writes, Session stores the time of the use
// only if the stored time is older than a thirtieth of Options.SessionIdle.
//
// If the session is over but still stored, Session returns it with the error, and its Portal method works. With
// [ErrSessionUnknown] and [ErrDeleted] it returns nil.
func (s *Service) Session(ctx context.Context, token string) (*Session, error) {
	return s.ViewSession(ctx, token, func(*Session, *View) error { return nil })
}

// ViewSession finds a session as [Service.Session] does, and calls fn in the same state of the
// store with the session and a View, as [Session.View] does. It returns the session with the
// error of fn.
//
// ViewSession then records the time of the use in a separate Update, if the stored time is older than a thirtieth of
// Options.SessionIdle. If this Update fails, ViewSession returns its error.
func (s *Service) ViewSession(ctx context.Context, token string, fn func(*Session, *View) error) (*Session, error) {
	raw, ok := base64url.Decode(token)
	if !ok || len(raw) != sessionBytes {
		return nil, ErrSessionUnknown
	}
	hash := layout.SessionHash(sha256.Sum256(raw))
	session := &Session{service: s, hash: &hash, token: Secret(token)}
	var row sessionRow
	found, valid := false, false
	err := session.viewOrError(ctx, func(v *View, err error) error {
		found = true
		session.ws, session.portal, session.customer = v.ws, v.portal, portaldata.CustomerID(v.customer)
		row = v.row
		session.slot, session.expiresAt = row.slot, row.expiresAt
		if err != nil {
			return err
		}
		valid = true
		return fn(session, v)
	})
	if !found {
		return nil, err
	}
	if now := s.time(); valid && now.Sub(row.seenAt) > s.idle/30 {
		if err := session.touch(ctx, now); err != nil {
			return session, err
		}
	}
	return session, err
}

// touch stores the time of the last use of the session.
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
			return nil // the clock of another process is ahead
		}
		row.seenAt = now
		return tx.Tx.Put(key, row.encode())
	}, key)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}

// End ends the session. If its holder opens the link again, that counts as another use. End has no effect on a session that was
// ended before, or that [Service.Resolve] returned, because such a session is not stored.
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

// Portal returns the portal as it was when the session began or was found, without its URL.
func (s *Session) Portal() CustomerPortal { return s.portal }

// Token returns the token with which [Service.Session] finds the session. It is empty for a session that
// [Service.Resolve] returned, because such a session is not stored. Protect the token like a password: keep it in a cookie that
// scripts cannot read, and do not log it.
func (s *Session) Token() Secret { return s.token }

// ExpiresAt returns the latest time at which the session ends, in UTC. The session ends earlier if it is not used.
func (s *Session) ExpiresAt() time.Time {
	if s.hash == nil {
		return s.portal.ExpiresAt
	}
	return s.expiresAt
}
