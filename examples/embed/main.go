// Embed shows a net/http backend that has a login and pages of its own, and gives its
// customers a portal: the API is mounted below one prefix, for the integrations that
// the backend has keys for, the pages below another, and one of its own pages hands out
// the link.
//
//	go run ./examples/embed
//
// then open http://127.0.0.1:8081 and log in as "ada", whose hotel it is.
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
	fmt.Fprintf(os.Stdout, "Serving on http://%s; the API below /api has the key %s\n", addr, key)
	server := &http.Server{Addr: addr, Handler: backend.routes(), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// backend is a host program: it knows its users, and whose hotel is whose.
type backend struct {
	users   map[string]string // name -> the customer that the user works for
	logins  *logins
	ws      *data.Workspace
	portals *portal.Service
	api     http.Handler
	pages   http.Handler // that the links open
}

func newBackend(ctx context.Context, baseURL, apiKey string) (*backend, error) {
	store := memory.New() // a real one would use badger.Open
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

// routes is the backend's own mux. Its own pages are behind its login, the API has keys, and
// the portal's pages open with a link. They lie at the path of the service's BaseURL.
func (b *backend) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", b.api))
	mux.Handle("/portal/", b.pages)
	mux.HandleFunc("POST /login", b.login)
	mux.Handle("POST /portal-link", b.loggedIn(b.portalLink))
	mux.HandleFunc("GET /{$}", b.start)
	return http.NewCrossOriginProtection().Handler(mux)
}

// loggedIn is the backend's own middleware: it finds out who asks.
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

// portalLink makes a portal of the user's own customer, and leads there. The backend
// knows whose hotel it is: the browser does not say.
func (b *backend) portalLink(w http.ResponseWriter, r *http.Request, customer string) {
	p, err := b.portals.Create(r.Context(), b.ws, portal.CreateRequest{CustomerKey: customer, TTL: time.Hour})
	if err != nil {
		log.Printf("making a portal of %s: %v", customer, err)
		http.Error(w, "The portal cannot be opened at the moment.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, p.URL.Reveal(), http.StatusSeeOther)
}
