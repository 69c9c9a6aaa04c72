package customerportal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func Example() {
	ctx := context.Background()
	store := memory.New() // or badger.Open(dir, badger.Options{})
	defer store.Close()
	workspaceID := uuid.New() // once: keep it, and use the same at the next start
	ws := data.NewWorkspace(store, workspaceID, data.Options{})

	master, err := keys.NewMaster() // the same, where you keep your secrets
	if err != nil {
		log.Fatal(err)
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		log.Fatal(err)
	}
	portals, err := portal.New(store, portal.Options{BaseURL: "https://portal.example", Keys: ring})
	if err != nil {
		log.Fatal(err)
	}

	hotel := data.CustomerData{CustomerKey: "acme-hotels"}
	hotel.Add(
		data.Site("lisbon", "Acme Lisbon"),
		data.Room("lisbon-101", "Room 101").In("lisbon"),
		data.Guest("guest-ada", "Ada"),
		data.Reservation("stay-1", data.Ref{Kind: data.KindGuest, Key: "guest-ada"}, data.Refs(data.KindRoom, "lisbon-101")...),
	)
	p, err := portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel})
	if err != nil {
		log.Fatal(err) // lists every fault, and nothing was written
	}
	session, err := portals.Resolve(ctx, portal.Code(p.URL.Reveal()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Portal().CustomerKey, "has", p.Push.Created.Total(), "new resources")

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
