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

// These are made once and kept, the keys where the program keeps its secrets.
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

func Example() {
	ctx := context.Background()
	store := memory.New() // or badger.Open(dir, badger.Options{})
	defer store.Close()
	app, err := customerportal.New(customerportal.Options{
		Store: store, BaseURL: "https://portal.example", Master: master, WorkspaceID: workspaceID, APIKey: apiKey,
	})
	if err != nil {
		log.Fatal(err)
	}
	// A program serves app.Handler(), the API and the pages, and calls app.Run(ctx) for maintenance.

	hotel := data.CustomerData{CustomerKey: "acme-hotels"}
	hotel.Add(
		data.Site("lisbon", "Acme Lisbon"),
		data.Room("lisbon-101", "Room 101").In("lisbon"),
		data.Guest("guest-ada", "Ada"),
		data.Reservation("stay-1", data.Ref{Kind: data.KindGuest, Key: "guest-ada"}, data.Refs(data.KindRoom, "lisbon-101")...),
	)
	ws := app.DB.Workspace(workspaceID)
	p, err := app.Portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel})
	if err != nil {
		log.Fatal(err) // lists every fault, and nothing was written
	}
	fmt.Println(p.CustomerKey, "has", p.Push.Created.Total(), "new resources") // p.URL is the link

	plan, err := ws.PlanDelete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "lisbon")})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range plan.Deleted {
		fmt.Println("would delete", d.Kind, d.Key)
	}
	// Output:
	// acme-hotels has 4 new resources
	// would delete site lisbon
	// would delete room lisbon-101
	// would delete reservation stay-1
}
