package proofs

import (
	"context"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// linked calls fn with the session of the world's deep link to a device.
func linked(fn func(context.Context, *portal.Session) error) func(context.Context, host, *world) error {
	return func(ctx context.Context, h host, w *world) error {
		s, err := h.portals.Session(ctx, w.linked)
		if err != nil {
			return err
		}
		return fn(ctx, s)
	}
}

// linkedView calls fn with a View of the session of the world's deep link to a device.
func linkedView(fn func(context.Context, *portal.View) error) func(context.Context, host, *world) error {
	return linked(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return fn(ctx, v) })
	})
}

// linkedCalls are the calls that a deep link to a device carries out in another way than other portals.
var linkedCalls = []call{
	{name: "portal Create of a deep link to a device", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.Create(ctx, h.ws, portal.CreateRequest{CustomerKey: "a", Config: deviceLink(deviceOf("a"))}))
	}},
	{name: "view LandingPage of a device", do: linkedView(func(ctx context.Context, v *portal.View) error { return only(v.LandingPage(ctx)) })},
	{name: "view Appearance of a device", do: linkedView(func(ctx context.Context, v *portal.View) error { return only(v.Appearance(ctx, "")) })},
	{name: "view Devices of a device", do: linkedView(func(ctx context.Context, v *portal.View) error {
		return only(v.Devices(ctx, portal.DeviceQuery{}))
	})},
	{name: "view Device of a device", do: linkedView(func(ctx context.Context, v *portal.View) error { return three(v.Device(ctx, deviceOf("a"))) })},
	{name: "session ControlDevice of a device", do: linked(func(ctx context.Context, s *portal.Session) error {
		return only(s.ControlDevice(ctx, deviceOf("a"), device.Command{Kind: device.Unlock}, "0123456789abcdef"))
	})},
}
