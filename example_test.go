package customerportal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	customerportal "github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// A program creates these once. It stores the keys with its other secrets.
var (
	workspaceID = uuid.New()
	master      = must(keys.NewMaster())
	apiKey      = must(httpapi.NewAPIKey())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// See examples/quickstart for a program that pushes data.
func Example() {
	store := memory.New() // or badger.Open(dir, badger.Options{})
	defer store.Close()
	app, err := customerportal.New(customerportal.Options{
		Store: store, BaseURL: "https://portal.example", Master: master, WorkspaceID: workspaceID, APIKey: apiKey,
	})
	if err != nil {
		log.Fatal(err)
	}
	// A server also serves app.Handler() and calls app.Run(ctx) in another goroutine.
	p, err := app.Portals.Create(context.Background(), app.DB.Workspace(workspaceID), portal.CreateRequest{
		CustomerData: &data.CustomerData{CustomerKey: "acme-hotels"},
	})
	fmt.Println(p.CustomerKey, p.URL, err)
	// Output: acme-hotels [redacted] <nil>
}
