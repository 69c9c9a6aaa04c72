package proofs

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/portal"
)

// guest calls fn with the session of the world's guest link.
func guest(fn func(context.Context, *portal.Session) error) func(context.Context, host, *world) error {
	return func(ctx context.Context, h host, w *world) error {
		s, err := h.portals.Session(ctx, w.guest)
		if err != nil {
			return err
		}
		return fn(ctx, s)
	}
}

// guestCalls are the calls that concern guest links.
var guestCalls = []call{
	{name: "portal CreateGuestLink", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.CreateGuestLink(ctx, h.ws, "a", "a/stay"))
	}},
	{name: "view GuestLink", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.GuestLink(ctx, "a/stay")) })},
	{name: "session ShareStay", do: session(func(ctx context.Context, s *portal.Session) error { return only(s.ShareStay(ctx, "a/stay")) })},
	{name: "view Stay", do: guest(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return only(v.Stay(ctx)) })
	})},
	{name: "view ActionAttempt of a guest", do: guest(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return ignoreMissing(only(v.ActionAttempt(ctx, uuid.UUID{1}))) })
	})},
	{name: "session UnlockDoor", do: guest(func(ctx context.Context, s *portal.Session) error {
		return only(s.UnlockDoor(ctx, deviceOf("a"), "0123456789abcdef"))
	})},
}
