// Embed mounts the customer portal in an existing net/http program that has its own login and pages.
//
// The API is mounted at /api and requires an API key. The hosted pages are mounted at /portal. A page of the program
// itself creates a portal for the logged-in user and redirects to its link.
//
//	go run ./examples/embed
//
// Then open http://127.0.0.1:8081 and log in as "ada".
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/httpapi"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func main() {
	const addr = "127.0.0.1:8081"
	key, err := httpapi.NewAPIKey()
	if err != nil {
		log.Fatal(err)
	}
	backend, err := newBackend(context.Background(), "http://"+addr, key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "Serving on http://%s; the API is at /api, its key is %s\n", addr, key)
	server := &http.Server{Addr: addr, Handler: backend.routes(), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// backend is the host program. It knows its users and their customers.
type backend struct {
	users   map[string]string // user name -> customer key
	logins  *logins
	ws      *data.Workspace
	portals *portal.Service
	api     http.Handler
	pages   http.Handler // the hosted pages
}

func newBackend(ctx context.Context, baseURL, apiKey string) (*backend, error) {
	store := memory.New() // a production program uses badger.Open
	db := data.Open(store, data.Options{})
	ws := db.Workspace(uuid.New())
	master, err := keys.NewMaster()
	if err != nil {
		return nil, err
	}
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		return nil, err
	}
	portals, err := portal.New(db, portal.Options{BaseURL: baseURL + "/portal", Keys: ring})
	if err != nil {
		return nil, err
	}
	authenticate, err := httpapi.Credentials{APIKeys: map[string]uuid.UUID{apiKey: ws.ID()}}.Static()
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Options{
		Portals: portals, Authenticate: authenticate, BaseURL: baseURL + "/api",
	})
	if err != nil {
		return nil, err
	}
	pages, err := web.New(portals, web.Options{})
	if err != nil {
		return nil, err
	}
	hotel := data.CustomerData{CustomerKey: "seaside", CustomerName: "Seaside Hotel", CustomerTimeZone: "Europe/Lisbon"}
	hotel.Add(data.Room("seaside-101", "Room 101"), data.Room("seaside-102", "Room 102"))
	if _, err := ws.Push(ctx, hotel); err != nil {
		return nil, err
	}
	return &backend{map[string]string{"ada": "seaside"}, newLogins(), ws, portals, api, pages}, nil
}

// routes returns the handler of the whole program. Its own pages require a login, the API requires a key, and the hosted
// pages require a link. The path of the hosted pages must be that of the portal service's BaseURL.
func (b *backend) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", b.api))
	mux.Handle("/portal/", b.pages)
	mux.HandleFunc("POST /login", b.login)
	mux.Handle("POST /portal-link", b.loggedIn(b.portalLink))
	mux.HandleFunc("GET /{$}", b.start)
	return http.NewCrossOriginProtection().Handler(mux)
}

// loggedIn is a middleware that finds the customer of the logged-in user.
func (b *backend) loggedIn(next func(w http.ResponseWriter, r *http.Request, customer string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		customer := b.users[b.logins.user(r)]
		if customer == "" {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		next(w, r, customer)
	})
}

// portalLink creates a portal for the user's customer and redirects to it. The customer comes from the login, never from
// the request.
func (b *backend) portalLink(w http.ResponseWriter, r *http.Request, customer string) {
	p, err := b.portals.Create(r.Context(), b.ws, portal.CreateRequest{CustomerKey: customer, TTL: time.Hour})
	if err != nil {
		log.Printf("creating a portal for customer %s: %v", customer, err)
		http.Error(w, "The portal cannot be opened at the moment. Try again later.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, p.URL.Reveal(), http.StatusSeeOther)
}
