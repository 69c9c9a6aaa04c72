package portal_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// must ends an example on an error; a program handles it.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPortals() (context.Context, *data.Workspace, *portal.Service) {
	store := memory.New()
	keys := must(portal.NewKeys(0, map[int][]byte{0: must(portal.NewMaster())}))
	portals := must(portal.New(store, portal.Options{BaseURL: "https://portal.example", Keys: keys}))
	return context.Background(), data.NewWorkspace(store, uuid.New(), data.Options{}), portals
}

func ExampleService_Create() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel, TTL: time.Hour}))
	fmt.Println("for", p.CustomerKey, "for", p.ExpiresAt.Sub(p.CreatedAt))
	fmt.Println("the link prints as", p.URL)
	fmt.Println("and has", len(p.URL.Reveal()), "characters")
	// Output:
	// for acme for 1h0m0s
	// the link prints as [redacted]
	// and has 56 characters
}

func ExampleService_Resolve() {
	ctx, ws, portals := newPortals()
	hotel := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "Sea view")}}
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel}))

	session := must(portals.Resolve(ctx, portal.Code(p.URL.Reveal())))
	for _, room := range must(session.Spaces(ctx, data.Query{})).Items {
		fmt.Println(room.Key, room.Name)
	}
	_, err := portals.Resolve(ctx, "304hmasw9nf6yyt2hkpx8n29qy8jnp5kh")
	fmt.Println(errors.Is(err, portal.ErrForged))
	// Output:
	// 101 Sea view
	// true
}

func ExampleService_Revoke() {
	ctx, ws, portals := newPortals()
	p := must(portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &data.CustomerData{CustomerKey: "acme"}}))
	if err := portals.Revoke(ctx, ws, p.ID); err != nil {
		panic(err)
	}
	_, err := portals.Resolve(ctx, portal.Code(p.URL.Reveal()))
	fmt.Println(err)
	// Output:
	// portal: the link opens no more: revoked
}

func ExampleNewKeys_rotation() {
	first, second := must(portal.NewMaster()), must(portal.NewMaster())
	// 1. The new master is everywhere, and signs nothing yet.
	_ = must(portal.NewKeys(0, map[int][]byte{0: first, 1: second}))
	// 2. It signs new links; old ones go on.
	_ = must(portal.NewKeys(1, map[int][]byte{0: first, 1: second}))
	// 3. When the last old link has expired, the old master goes.
	keys := must(portal.NewKeys(1, map[int][]byte{1: second}))
	fmt.Println(keys)
	// Output:
	// [redacted]
}
