package portal

import (
	"errors"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/validation"
)

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
