// Quickstart pushes the data of a hotel to a store in memory, creates a portal for the hotel, and lists the resources that
// deleting its site would delete.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func main() {
	ctx := context.Background()
	master, err := keys.NewMaster() // a real program generates it once and stores it with its secrets
	if err != nil {
		log.Fatal(err)
	}
	app, err := customerportal.New(customerportal.Options{
		Store:   memory.New(), // or badger.Open(dir, badger.Options{})
		BaseURL: "https://portal.example",
		Master:  master,
	})
	if err != nil {
		log.Fatal(err)
	}
	// A server also calls http.ListenAndServe(addr, app.Handler()) and app.Run(ctx).

	hotel := data.CustomerData{CustomerKey: "acme-hotels"}
	hotel.Add(
		data.Site("lisbon", "Acme Lisbon"),
		data.Room("lisbon-101", "Room 101").In("lisbon"),
		data.Guest("guest-ada", "Ada"),
		data.Reservation("stay-1", data.Ref{Kind: data.KindGuest, Key: "guest-ada"}, data.Refs(data.KindRoom, "lisbon-101")...),
	)
	ws := app.DB.Workspace(uuid.New())
	p, err := app.Portals.Create(ctx, ws, portal.CreateRequest{CustomerData: &hotel})
	if err != nil {
		log.Fatal(err) // err lists the faults in the input by path; nothing was written
	}
	fmt.Println(p.CustomerKey, "has", p.Push.Created.Total(), "new resources") // p.URL is the link

	plan, err := ws.PlanDelete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "lisbon")})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range plan.Deleted {
		fmt.Println("would delete", d.Kind, d.Key)
	}
}
