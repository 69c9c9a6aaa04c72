package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// must panics on an error. A program would handle the error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exampleWorkspace returns a workspace with the data of a small hotel.
func exampleWorkspace() (context.Context, *data.Workspace) {
	ctx := context.Background()
	ws := data.Open(memory.New(), data.Options{}).Workspace(uuid.New())
	d := data.CustomerData{CustomerKey: "acme"}
	d.Add(
		data.Site("lisbon", "Acme Lisbon"),
		data.Room("101", "Sea view").In("lisbon"),
		data.Room("102", "Garden view").In("lisbon"),
		data.Guest("ada", "Ada"),
		data.Reservation("r1", data.Ref{Kind: data.KindGuest, Key: "ada"}, data.Refs(data.KindRoom, "101")...).
			During(time.Date(2030, 6, 1, 15, 0, 0, 0, time.UTC), time.Date(2030, 6, 3, 11, 0, 0, 0, time.UTC)),
	)
	must(ws.Push(ctx, d))
	return ctx, ws
}

func ExampleWorkspace_Push() {
	ctx := context.Background()
	ws := data.Open(memory.New(), data.Options{}).Workspace(uuid.New())

	var d data.CustomerData
	err := json.Unmarshal([]byte(`{
		"customer_key": "acme",
		"rooms": [{"room_key": "101", "name": "Sea view"}],
		"reservations": [{"reservation_key": "r1", "guest_key": "ada", "room_keys": ["101"]}]
	}`), &d)
	if err != nil {
		panic(err)
	}
	report := must(ws.Push(ctx, d))
	fmt.Println("created", report.Created.Total())
	for _, w := range report.Warnings {
		fmt.Println("warning:", w)
	}
	report = must(ws.Push(ctx, d))
	fmt.Println("unchanged", report.Unchanged.Total())
	// Output:
	// created 2
	// warning: reservations[0].guest_key: there is no user_identity "ada" yet
	// unchanged 2
}

func ExampleWorkspace_Push_invalid() {
	ctx, ws := exampleWorkspace()
	_, err := ws.Push(ctx, data.CustomerData{CustomerKey: "other", Spaces: []data.Space{
		data.Room("101", "Another customer's key"),
		data.Room("103", ""),
	}})
	var invalid *validation.Error
	if errors.As(err, &invalid) {
		for _, fault := range invalid.Faults {
			fmt.Println(fault)
		}
	}
	// Output:
	// rooms[0].room_key: "101" is a room of customer "acme", and cannot be a room of customer "other"
	// rooms[1].name: is required
}

func ExampleWorkspace_Push_patch() {
	ctx, ws := exampleWorkspace()
	// The push keeps the fields that it does not name. In JSON, null clears a field; in Go, Clear does.
	must(ws.Push(ctx, data.CustomerData{CustomerKey: "acme", AccessGrants: []data.AccessGrant{
		{Kind: data.KindReservation, Key: "r1", PreferredCode: "123456", Clear: []string{"ends_at"}},
	}}))
	stay := must(ws.AccessGrant(ctx, "r1"))
	fmt.Println(stay.Spaces, stay.PreferredCode, "no end:", stay.EndsAt.IsZero())
	// Output:
	// [room 101] 123456 no end: true
}

func ExampleWorkspace_PushWith_dryRun() {
	ctx, ws := exampleWorkspace()
	d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("101", "New name"), data.Room("103", "New room")}}
	report := must(ws.PushWith(ctx, d, data.PushOptions{DryRun: true}))
	fmt.Println("would create", report.Created.Spaces, "and update", report.Updated.Spaces)
	fmt.Println(must(ws.Space(ctx, "101")).Name)
	// Output:
	// would create 1 and update 1
	// Sea view
}

func ExampleWorkspace_PushWith_skipInvalid() {
	ctx, ws := exampleWorkspace()
	d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("103", "New room"), data.Room("104", "")}}
	report := must(ws.PushWith(ctx, d, data.PushOptions{SkipInvalid: true}))
	fmt.Println("created", report.Created.Spaces, "skipped", report.Skipped)
	// Output:
	// created 1 skipped [rooms[1].name: is required]
}

func ExampleWorkspace_PushWith_within() {
	ctx, ws := exampleWorkspace()
	// The host's own row in the same store commits only if the push commits.
	must(ws.PushWith(ctx, data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("103", "New room")}}, data.PushOptions{
		Within: func(ctx context.Context, tx data.CustomerTx) error {
			room, err := tx.Space(ctx, "103") // reads the result of the push
			if err != nil {
				return err
			}
			return tx.Tx.Put([]byte("host/outbox/103"), []byte(room.Name))
		},
	}))
	// Output:
}

func ExampleWorkspace_Sync() {
	ctx, ws := exampleWorkspace()
	now := data.CustomerData{CustomerKey: "acme"}
	now.Add(data.Site("lisbon", "Acme Lisbon"), data.Room("101", "Sea view").In("lisbon"), data.Room("201", "Roof").In("lisbon"))
	report := must(ws.Sync(ctx, now))
	fmt.Println("created", report.Created.Total(), "unchanged", report.Unchanged.Total())
	for _, d := range report.Deleted {
		fmt.Println("deleted", d.Kind, d.Key)
	}
	// Output:
	// created 1 unchanged 2
	// deleted room 102
	// deleted guest ada
	// deleted reservation r1
}

func ExampleWorkspace_Delete() {
	ctx, ws := exampleWorkspace()
	report := must(ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindRoom, "101", "999")}))
	for _, d := range report.Deleted {
		if d.Because != nil {
			fmt.Println(d.Kind, d.Key, "because of", d.Because)
		} else {
			fmt.Println(d.Kind, d.Key)
		}
	}
	fmt.Println("not found:", report.NotFound)
	// Output:
	// room 101
	// reservation r1 because of room 101
	// not found: [room 999]
}

func ExampleWorkspace_PlanDelete() {
	ctx, ws := exampleWorkspace()
	plan := must(ws.PlanDelete(ctx, data.Selection{CustomerKeys: []string{"acme"}}))
	fmt.Println("would delete", len(plan.Deleted), "resources of", plan.Customers)
	fmt.Println("rooms:", plan.DeletedByKind()[data.KindRoom])
	// Output:
	// would delete 5 resources of [acme]
	// rooms: 2
}

func ExampleWorkspace_Import() {
	ctx, ws := exampleWorkspace()
	rooms := func(yield func(data.Resource, error) bool) { // a program would read a file or a database
		for i := range 2500 {
			if !yield(data.Room(fmt.Sprint("room-", i), fmt.Sprint("Room ", i)), nil) {
				return
			}
		}
	}
	report := must(ws.Import(ctx, "acme", rooms, data.ImportOptions{
		Progress: func(r data.ImportReport) { fmt.Println(r.Done(), "so far") },
	}))
	fmt.Println("created", report.Created.Spaces, "in", report.Batches, "batches")
	// Output:
	// 1000 so far
	// 2000 so far
	// 2500 so far
	// created 2500 in 3 batches
}

func ExampleUserIdentity_During() {
	ctx, ws := exampleWorkspace()
	// The access codes of a seasonal worker are valid during the season. A push with "ends_at" in Clear removes the end.
	season := data.StaffMember("rui", "Rui", data.Refs(data.KindRoom, "101")...).
		During(time.Date(2030, 5, 1, 6, 0, 0, 0, time.UTC), time.Date(2030, 9, 30, 18, 0, 0, 0, time.UTC))
	must(ws.Push(ctx, data.CustomerData{CustomerKey: "acme", UserIdentities: []data.UserIdentity{season}}))
	rui := must(ws.UserIdentity(ctx, "rui"))
	fmt.Println(data.FormatTime(rui.StartsAt), data.FormatTime(rui.EndsAt))
	// Output:
	// 2030-05-01T06:00:00.000000Z 2030-09-30T18:00:00.000000Z
}

func ExampleDecode() {
	// Decode limits the size and the depth of a body of unknown size.
	body := strings.NewReader(`{"customer_key": "acme", "customer_key": "twice"}`)
	_, err := data.Decode(body, data.DecodeOptions{MaxBytes: 1 << 20, MaxDepth: 8})
	fmt.Println(errors.Is(err, data.ErrNotJSON))
	// Output:
	// true
}

func ExampleWorkspace_AccessGrants() {
	ctx, ws := exampleWorkspace()
	page := must(ws.AccessGrants(ctx, data.Query{
		CustomerKey: "acme",
		SpaceKey:    "101",
		From:        time.Date(2030, 6, 2, 0, 0, 0, 0, time.UTC),
		Until:       time.Date(2030, 6, 3, 0, 0, 0, 0, time.UTC),
	}))
	for _, g := range page.Items {
		fmt.Println(g.Key, g.User, data.FormatTime(g.StartsAt))
	}
	// Output:
	// r1 guest ada 2030-06-01T15:00:00.000000Z
}

func ExampleWorkspace_Spaces() {
	ctx, ws := exampleWorkspace()
	q := data.Query{CustomerKey: "acme", ParentSiteKey: "lisbon", Limit: 1}
	for {
		page := must(ws.Spaces(ctx, q))
		for _, s := range page.Items {
			fmt.Println(s.Key, s.Name)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	// Output:
	// 101 Sea view
	// 102 Garden view
}

func ExampleWorkspace_SpaceByID() {
	ctx, ws := exampleWorkspace()
	room := must(ws.Space(ctx, "101"))
	same := must(ws.SpaceByID(ctx, room.Meta.ID))
	fmt.Println(same.Kind, same.Key, "of", same.Meta.CustomerKey)
	_, err := ws.Space(ctx, "999")
	fmt.Println(errors.Is(err, data.ErrNotFound))
	// Output:
	// room 101 of acme
	// true
}

func ExampleWorkspace_Referrers() {
	ctx, ws := exampleWorkspace()
	page := must(ws.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "lisbon"}, 10, ""))
	fmt.Println(page.Items)
	// Output:
	// [room 101 room 102]
}

func ExampleWorkspace_Customers() {
	ctx, ws := exampleWorkspace()
	for _, c := range must(ws.Customers(ctx, data.CustomerQuery{})).Items {
		fmt.Println(c.Key, "has", c.Counts[data.KindRoom], "rooms")
	}
	// Output:
	// acme has 2 rooms
}

func ExampleWorkspace_Export() {
	ctx, ws := exampleWorkspace()
	d := must(ws.Export(ctx, "acme"))
	d.AccessGrants, d.UserIdentities = nil, nil
	fmt.Println(string(must(json.Marshal(d))))
	// Output:
	// {"customer_key":"acme","sites":[{"site_key":"lisbon","name":"Acme Lisbon"}],"rooms":[{"room_key":"101","name":"Sea view","parent_site_key":"lisbon"},{"room_key":"102","name":"Garden view","parent_site_key":"lisbon"}]}
}

func ExampleWorkspace_View() {
	ctx, ws := exampleWorkspace()
	// All reads in a View return the same state.
	err := ws.View(ctx, func(s *data.Snapshot) error {
		stay, err := s.AccessGrant(ctx, "r1")
		if err != nil {
			return err
		}
		guest, err := s.UserIdentity(ctx, stay.User.Key)
		if err != nil {
			return err
		}
		fmt.Println(guest.Name, "has", stay.Key)
		return nil
	})
	fmt.Println(err)
	// Output:
	// Ada has r1
	// <nil>
}

func ExampleWorkspace_Changes() {
	ctx, ws := exampleWorkspace()
	var last data.Cursor // a program stores it for its next run
	for c, err := range ws.Changes(ctx, last) {
		if err != nil {
			panic(err)
		}
		last = c.Cursor
	}
	must(ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindGuest, "ada")}))
	for c, err := range ws.Changes(ctx, last) {
		if err != nil {
			panic(err)
		}
		fmt.Println(c.Change, c.Kind, c.Key)
	}
	// Output:
	// deleted guest ada
	// deleted reservation r1
}

func ExampleWorkspace_Follow() {
	ctx, ws := exampleWorkspace()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for c, err := range ws.Follow(ctx, data.Cursor{}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		if c.Class == data.ClassAccessGrant {
			fmt.Println(c.Change, c.Key)
			stop()
		}
	}
	// Output:
	// created r1
	// context canceled
}

func ExampleConsumer() {
	ctx, ws := exampleWorkspace()
	var start data.Cursor
	if err := ws.View(ctx, func(s *data.Snapshot) (err error) {
		// A program would read the existing data in the same View.
		start, err = s.Cursor(ctx)
		return err
	}); err != nil {
		panic(err)
	}
	consumer := ws.Consumer("my-mirror")
	if err := consumer.Seek(ctx, start); err != nil {
		panic(err)
	}
	must(ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindReservation, "r1")}))
	ctx, stop := context.WithCancel(ctx)
	err := consumer.Run(ctx, func(_ context.Context, changes []data.FeedChange) error {
		for _, c := range changes {
			fmt.Println(c.Change, c.Kind, c.Key, "by the", c.Actor.Type)
		}
		stop()
		return nil // the consumer stores its position, and the next Run continues there
	})
	fmt.Println(err)
	// Output:
	// deleted reservation r1 by the host
	// context canceled
}

func ExampleWorkspace_TrimChanges() {
	ctx, ws := exampleWorkspace()
	fmt.Println(must(ws.TrimChanges(ctx, time.Now().Add(time.Hour))), "changes dropped")
	// Output:
	// 5 changes dropped
}

func ExampleDB_Sweep() {
	ctx, ws := exampleWorkspace()
	must(ws.Delete(ctx, data.Selection{CustomerKeys: []string{"acme"}}))
	// A program removes the rows of deleted customers regularly.
	report := must(ws.DB().Sweep(ctx))
	fmt.Println(report.Customers, "deleted customer swept")
	// Output:
	// 1 deleted customer swept
}
