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
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// Resolve opens the link of a code, which is the part of the link's URL after the last slash, see
// [Code]. It is for a caller that does not need to find the session again: the session is not
// stored and has no Token. If the link has a MaxUses, Resolve counts one use.
//
// Without reading the store, it returns [ErrForged] for a code that this service did not make and
// [ErrExpired] for a code that has expired. It returns [ErrRevoked] if the portal was revoked or
// deleted with its customer, and [ErrUsedUp] if no use is left.
func (s *Service) Resolve(ctx context.Context, code string) (*Session, error) {
	session, p, err := s.resolveLink(ctx, code, "")
	if err != nil {
		return nil, err
	}
	if p.maxUses == 0 {
		return session, nil
	}
	if err := s.recordUse(ctx, session); err != nil {
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

// verify returns the link of a code, without reading the store. It returns [ErrForged] or [ErrExpired].
func (s *Service) verify(code string) (link.Link, error) {
	verified, err := s.signer.Verify(code, s.now())
	switch {
	case errors.Is(err, link.ErrExpired):
		return verified, ErrExpired
	case err != nil:
		return link.Link{}, ErrForged
	}
	return verified, nil
}

// linkExpiry returns the expiry of the link of a portal that expires at t.
func linkExpiry(t time.Time) (time.Time, error) {
	expires, err := link.Expiry(t)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: expires_at: %w", validation.ErrInvalid, err)
	}
	return expires, nil
}

// Peek returns the portal that the link of a code opens, and does not count a use. Errors are
// those of Resolve; a portal that was revoked or used up is returned along with the error, as
// long as it is stored.
//
// holder is that of [Service.OpenSession], or empty. held reports whether a use of the link was
// counted for the holder: the link then opens again for the holder, and Peek does not return
// [ErrUsedUp].
func (s *Service) Peek(ctx context.Context, code string, holder Secret) (p CustomerPortal, held bool, err error) {
	session, _, err := s.resolveLink(ctx, code, holder)
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
	session, _, err := s.resolveLink(ctx, code, holder)
	if err != nil {
		return nil, err
	}
	var token [sessionBytes]byte
	if _, err := io.ReadFull(s.rand, token[:]); err != nil {
		return nil, fmt.Errorf("portal: making a token: %w", err)
	}
	hash := layout.SessionHash(sha256.Sum256(token[:]))
	session.hash, session.token = &hash, Secret(base64url.Encode(token[:]))
	if err := s.recordUse(ctx, session); err != nil {
		return nil, err
	}
	return session, nil
}

// minHolderBytes is the least length of a holder.
const minHolderBytes = 16

// look reads the portal that the link of a code opens. holder may be empty.
func (s *Service) resolveLink(ctx context.Context, code string, holder Secret) (*Session, *portalState, error) {
	if holder != "" && len(holder) < minHolderBytes {
		return nil, nil, fmt.Errorf("%w: a holder must have at least %d bytes", validation.ErrInvalid, minHolderBytes)
	}
	verified, err := s.verify(code)
	if err != nil {
		return nil, nil, err
	}
	var session *Session
	var p *loadedPortal
	var stateErr error
	err = s.view(ctx, func(r storage.Reader) error {
		session, p = nil, nil
		rows, err := r.Get(ctx, layout.LinkIndex(verified.ID))
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
		var extra [][]byte
		var held *layout.HolderHash
		if holder != "" {
			held = holderHash(to.portal, holder)
			extra = append(extra, layout.Holder(to.customer, to.portal, *held))
		}
		p, stateErr = s.loadOpenPortal(ctx, r, to, extra...)
		if errors.Is(stateErr, ErrDeleted) {
			return ErrRevoked // as after its row is gone too
		}
		if p == nil {
			return stateErr
		}
		described, err := s.describe(p.portalState, p.owner)
		if err != nil {
			return err
		}
		session = &Session{service: s, ws: p.ws, portal: described, customer: to.customer, slot: byte(verified.Slot)}
		if held != nil && p.maxUses > 0 {
			session.holder, session.held = held, p.extra[0] != nil
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
		stateErr = errors.Join(stateErr, s.reportExpiry(ctx, p))
	}
	return session, p.portalState, stateErr
}

// holderHash returns the hash that the row of a holder has.
func holderHash(portal uuid.UUID, holder Secret) *layout.HolderHash {
	hash := layout.HolderHash(sha256.Sum256(append(portal[:], holder...)))
	return &hash
}

// countUse counts one use of a link that has a MaxUses, unless it was counted before for
// the same holder. holder is the key of the holder's row, or nil if there is no holder, and
// held reports whether that row exists.
func countUse(tx storage.Tx, p *portalState, holder []byte, held bool) error {
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
func (s *Service) recordUse(ctx context.Context, session *Session) error {
	to := pointer{session.customer, session.portal.ID}
	var holder []byte
	var extra [][]byte
	if session.holder != nil {
		holder = layout.Holder(to.customer, to.portal, *session.holder)
		extra = append(extra, holder)
	}
	reads := append(append(to.rowKeys(), layout.FeedEnds(session.ws.ID())), extra...)
	err := portaldata.WithinUnversioned(ctx, session.ws, session.customer, func(ctx context.Context, tx data.CustomerTx) error {
		p, err := s.loadOpenPortal(ctx, tx.Tx, to, extra...)
		if err != nil {
			return err
		}
		if p.maxUses > 0 {
			if err := countUse(tx.Tx, p.portalState, holder, holder != nil && p.extra[0] != nil); err != nil {
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
			if err := tx.Tx.Put(layout.SessionRow(to.customer, to.portal, *hash), row.encode()); err != nil {
				return err
			}
			if err := tx.Tx.Put(layout.SessionIndexEntry(to.customer, to.portal, *hash)); err != nil {
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
