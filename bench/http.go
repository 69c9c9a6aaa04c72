package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// httpRows compares pushes of 100 resources through the handler of the API with the same pushes in process. Both use one
// core and a memory store. The requests do not use a connection.
func httpRows(ctx context.Context, b *bench) ([]row, error) {
	n := b.size(400, 4)
	pushes := make([]data.CustomerData, n)
	bodies := make([][]byte, n)
	for i := range pushes {
		pushes[i] = smallHotel(i)
		body, err := json.Marshal(pushes[i])
		if err != nil {
			return nil, err
		}
		bodies[i] = body
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t, err := b.contest(b.rounds(9),
		contender{"http", func(string) (laps, error) {
			store := memory.New()
			defer store.Close()
			api, key, err := apiOn(store)
			if err != nil {
				return nil, err
			}
			l := laps{}
			return l, l.eachOf(n, func(i int) error { return pushByHTTP(ctx, api, key, bodies[i]) })
		}},
		contender{"library", func(string) (laps, error) {
			store := memory.New()
			defer store.Close()
			ws := data.Open(store, data.Options{}).Workspace(workspaceID)
			l := laps{}
			return l, l.eachOf(n, func(i int) error {
				_, err := ws.Push(ctx, pushes[i])
				return err
			})
		}},
	)
	if err != nil {
		return nil, err
	}
	return []row{{
		work: "HTTP push_data of 100 resources, one core", against: "the same push in process", goal: atMost(3),
		measured: t.ratio("http", "each", "library", "each"),
		detail:   fmt.Sprintf("%.2f ms against %.2f ms, in memory", t.seconds("http", "each")*1e3, t.seconds("library", "each")*1e3),
	}}, nil
}

func apiOn(store *memory.Store) (http.Handler, string, error) {
	master, err := keys.NewMaster()
	if err != nil {
		return nil, "", err
	}
	portals, err := portalsWith(store, master)
	if err != nil {
		return nil, "", err
	}
	key, err := httpapi.NewAPIKey()
	if err != nil {
		return nil, "", err
	}
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{key: workspaceID}}.Static()
	if err != nil {
		return nil, "", err
	}
	api, err := httpapi.New(httpapi.Options{Portals: portals, Authenticate: authenticate})
	return api, key, err
}

func pushByHTTP(ctx context.Context, api http.Handler, key string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/customers/push_data", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Errorf("push_data: %d %s", w.Code, w.Body)
	}
	return nil
}

// smallHotel returns a customer of 100 resources with the same proportions as [hotelBlock].
func smallHotel(i int) data.CustomerData {
	key := func(kind string, n int) string { return fmt.Sprintf("%s-%d-%d", kind, i, n) }
	d := data.CustomerData{CustomerKey: fmt.Sprint("hotel-", i)}
	d.Add(data.Site(key("site", 0), "The site"))
	for n := range 20 {
		d.Add(data.Room(key("room", n), "A room").In(key("site", 0)))
	}
	for n := range 30 {
		guest := data.Guest(key("guest", n), "A guest")
		guest.EmailAddress = key("guest", n) + "@example.com"
		d.Add(guest)
	}
	for n := range 49 {
		d.Add(data.Reservation(key("stay", n), data.Ref{Kind: data.KindGuest, Key: key("guest", n%30)}, data.Refs(data.KindRoom, key("room", n%20))...))
	}
	return d
}
