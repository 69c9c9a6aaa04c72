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

// Resolve opens the link with a code and returns a session that is not stored and has no Token. The code is the part of the
// link's URL after the last slash, see [Code]. If the link has a MaxUses, Resolve counts one use. Use [Service.OpenSession] for
// a session that later requests can find.
//
// Resolve returns [ErrForged] for a code that this service did not sign, and [ErrExpired] for a code that has expired, both
// without reading the store. It returns [ErrRevoked] if the portal was revoked or deleted with its customer, and [ErrUsedUp] if
// all uses of the link are counted.
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

// Verify verifies a code without reading the store. It returns [ErrForged] for a code that this service did not sign, and
// [ErrExpired] for a code that has expired. A code that Verify accepts can be that of a portal that was revoked.
func (s *Service) Verify(code string) error {
	_, err := s.verify(code)
	return err
}

// verify returns the link of a code, without reading the store. It returns ErrForged or ErrExpired like Verify.
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

// Peek returns the portal of the link with a code, without its URL, and counts no use. It returns the errors of
// [Service.Resolve]. If the portal is stored but not open, Peek returns it with the error.
//
// holder identifies the browser, as for [Service.OpenSession], or is empty. held reports whether a use of the link was counted
// for the holder before. If so, the holder can open the link again, and Peek does not return [ErrUsedUp].
func (s *Service) Peek(ctx context.Context, code string, holder Secret) (p CustomerPortal, held bool, err error) {
	session, _, err := s.resolveLink(ctx, code, holder)
	if session == nil {
		return CustomerPortal{}, false, err
	}
	return session.portal, session.held, err
}

// OpenSession opens the link with a code and returns a new session, which it stores. If the link has a MaxUses, OpenSession
// counts one use. [Service.Session] finds the session by its Token. The store contains only a hash of the token.
//
// holder identifies a browser, so that repeated calls for the same browser count one use. It is a secret of at least 16 random
// bytes that the caller keeps with the browser, such as in a cookie. A link with a MaxUses counts each holder once, even if two
// calls run at the same time. The holder can open the link again without another use, even after its session is over, until the
// portal expires or is revoked, or [Session.End] is called. If holder is empty, every call counts one use.
//
// A holder gives no access without the code. The store contains the SHA-256 of the portal's id and the holder, so the rows of two
// portals do not reveal that they have the same holder.
//
// OpenSession returns an error that matches [validation.ErrInvalid] if holder is too short. Its other errors are those of
// [Service.Resolve].
func (s *Service) OpenSession(ctx context.Context, code string, holder Secret) (*Session, error) {
	session, _, err := s.resolveLink(ctx, code, holder)
	if err != nil {
		return nil, err
	}
	var token [sessionBytes]byte
	if _, err := io.ReadFull(s.rand, token[:]); err != nil {
		return nil, fmt.Errorf("portal: generating a token: %w", err)
	}
	hash := layout.SessionHash(sha256.Sum256(token[:]))
	session.hash, session.token = &hash, Secret(base64url.Encode(token[:]))
	if err := s.recordUse(ctx, session); err != nil {
		return nil, err
	}
	return session, nil
}

// minHolderBytes is the minimum length of a holder.
const minHolderBytes = 16

// resolveLink returns a session, which is not stored, for the portal of the link with a code. holder may be empty. If the
// portal is stored but not open, resolveLink returns it with the error.
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
		var hash *layout.HolderHash
		if holder != "" {
			hash = holderHash(to.portal, holder)
			extra = append(extra, layout.Holder(to.customer, to.portal, *hash))
		}
		p, stateErr = s.loadOpenPortal(ctx, r, to, extra...)
		if errors.Is(stateErr, ErrDeleted) || p != nil && verified.Connect != (p.webview != nil) {
			return ErrRevoked // as if the row of the link were deleted too
		}
		if p == nil {
			return stateErr
		}
		described, err := s.describe(p.portalState, p.owner)
		if err != nil {
			return err
		}
		session = &Session{service: s, ws: p.ws, portal: described, customer: to.customer, slot: byte(verified.Slot)}
		if hash != nil && p.maxUses > 0 {
			session.holder, session.held = hash, p.extra[0] != nil
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

// holderHash returns the hash under which a holder of a portal is stored.
func holderHash(portal uuid.UUID, holder Secret) *layout.HolderHash {
	hash := layout.HolderHash(sha256.Sum256(append(portal[:], holder...)))
	return &hash
}

// countUse counts one use of a link that has a MaxUses, unless a use was counted for the holder before. holder is the key of the
// holder's row, or nil if there is no holder. held reports whether that row exists.
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

// recordUse counts a use of the session's link and adds it to the change feed. If the session has a token, recordUse also
// stores the session.
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
			if row.expiresAt.After(p.closesAt) {
				row.expiresAt = p.closesAt
			}
			session.expiresAt = row.expiresAt
			if err := tx.Tx.Put(layout.SessionRow(to.customer, to.portal, *hash), row.encode()); err != nil {
				return err
			}
			if err := tx.Tx.Put(layout.SessionIndexEntry(to.customer, to.portal, *hash)); err != nil {
				return err
			}
		}
		return p.addChange(ctx, tx, portalActor(to.portal), data.PortalOpened)
	}, reads...)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return ErrRevoked
	}
	return err
}
