package proofs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

// host is a program that uses the library.
type host struct {
	ws      *data.Workspace
	portals *portal.Service
	ring    *keys.Ring
}

func newHost(store storage.Store) host { return newHostWith(store, nil) }

// newHostWith returns a host whose portals read their ids and keys from rand.
func newHostWith(store storage.Store, rand io.Reader) host {
	ring, err := keys.New(0, map[int][]byte{0: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		panic(err)
	}
	db := data.Open(store, data.Options{Rand: rand})
	devices, err := simulatedAccess(db, ring, "a", "new")
	if err != nil {
		panic(err)
	}
	portals, err := portal.New(db, portal.Options{BaseURL: "https://example.com", Keys: ring, Access: devices})
	if err != nil {
		panic(err)
	}
	return host{portals.DB().Workspace(workspaceID), portals, ring}
}

// customer returns all data of a customer, except resource ids and times.
func (h host) customer(t *testing.T, key string) string {
	t.Helper()
	d, err := h.ws.Export(t.Context(), key)
	if errors.Is(err, data.ErrCustomerNotFound) {
		return key + " is not there"
	}
	require.NoError(t, err)
	text, err := json.Marshal(d)
	require.NoError(t, err)
	c, err := h.ws.Customer(t.Context(), key)
	require.NoError(t, err)
	return fmt.Sprintf("%s %v", text, c.Counts)
}

// block returns a customer with a site, and a number of rooms with a guest and a reservation each. name distinguishes
// versions of the data.
func block(customer, name string, rooms int) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	d.Add(data.Site(customer+"/site", name))
	for i := range rooms {
		key := fmt.Sprintf("%s/%03d", customer, i)
		d.Add(
			data.Room(key, name).In(customer+"/site"),
			data.Guest(key, name),
			data.Reservation(key, data.Ref{Kind: data.KindGuest, Key: key}, data.Refs(data.KindRoom, key)...),
		)
	}
	return d
}

// step is a step of a worker. The sequence of steps depends only on a seed, so that the expected state follows from the
// seed and the number of steps.
type step struct {
	what     string
	customer string
	name     string
	size     int
}

// steps contains the kinds of steps. A kind that is more frequent occurs several times.
var steps = []string{
	"push", "push", "push", "sync", "sync", "delete site", "delete rooms", "delete customer",
	"create", "create", "create with data", "revoke", "revoke",
}

// script generates the steps of a worker.
type script struct {
	rng    *rand.Rand
	worker int
	n      int
}

func newScript(seed uint64, worker int) *script {
	return &script{rng: rand.New(rand.NewPCG(seed, uint64(worker))), worker: worker}
}

// customersEach is the number of customers of each worker.
const customersEach = 2

func customersOf(worker int) (keys []string) {
	for i := range customersEach {
		keys = append(keys, fmt.Sprintf("customer-%d-%d", worker, i))
	}
	return keys
}

func (s *script) next() step {
	s.n++
	return step{
		what:     steps[s.rng.IntN(len(steps))],
		customer: customersOf(s.worker)[s.rng.IntN(customersEach)],
		name:     fmt.Sprintf("%x", s.rng.Uint64()),
		size:     1 + s.rng.IntN(30),
	}
}

// opened is a portal that a worker has created.
type opened struct {
	customer string
	id       uuid.UUID
	code     string
}

// apply executes a step. last is the newest portal that the worker has created in this life, or nil. It returns the
// portal if the step creates one.
func (h host) apply(ctx context.Context, st step, last *opened) (*opened, error) {
	var err error
	switch st.what {
	case "push":
		_, err = h.ws.Push(ctx, block(st.customer, st.name, st.size))
	case "sync":
		_, err = h.ws.Sync(ctx, block(st.customer, st.name, st.size))
	case "delete site":
		_, err = h.ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, st.customer+"/site")})
	case "delete rooms":
		var keys []string
		for i := range st.size {
			keys = append(keys, fmt.Sprintf("%s/%03d", st.customer, i))
		}
		_, err = h.ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindRoom, keys...)})
	case "delete customer":
		if _, err = h.ws.Delete(ctx, data.Selection{CustomerKeys: []string{st.customer}}); err == nil && st.size%2 == 0 {
			_, err = h.ws.DB().Sweep(ctx)
		}
	case "create", "create with data":
		req := portal.CreateRequest{CustomerKey: st.customer}
		if st.what == "create with data" {
			d := block(st.customer, st.name, st.size)
			req.CustomerData = &d
		}
		p, err := h.portals.Create(ctx, h.ws, req)
		if errors.Is(err, data.ErrCustomerNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return &opened{st.customer, p.ID, portal.Code(p.URL.Reveal())}, nil
	case "revoke":
		if last == nil {
			return nil, nil
		}
		err = h.portals.Revoke(ctx, h.ws, last.id)
		if errors.Is(err, portal.ErrNotFound) { // the portal was deleted with its customer
			err = nil
		}
	}
	return nil, err
}
