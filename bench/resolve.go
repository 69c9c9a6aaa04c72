package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// resolveRows resolves live links from a large number, and reads the same keys directly from the engine. Only one of the two
// can have the directory open, so they open it in turns.
func resolveRows(ctx context.Context, b *bench) ([]row, error) {
	g := goals{"badger": atMost(1.3), "pebble": atMost(1.05)}
	var rows []row
	for _, be := range backends {
		r, err := b.resolveOn(ctx, be)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", be.name, err)
		}
		r.on, r.goal = be.name, g.of(be.name)
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) resolveOn(ctx context.Context, be backend) (row, error) {
	links, customers, sample := b.size(1_000_000, 2000), b.size(1000, 10), b.size(50_000, 500)
	dir := filepath.Join(b.dir, "links-"+be.name)
	codes, master, err := b.makeLinks(ctx, be, dir, links, customers, sample)
	if err != nil {
		return row{}, err
	}
	keys, err := resolvedKeys(ctx, be, dir, codes, master)
	if err != nil {
		return row{}, err
	}
	each := func(do func(i int) error) (laps, error) {
		l := laps{}
		return l, errors.Join(l.eachOf(sample, do), l.eachOf(sample, do)) // the first time is a warm-up
	}
	library, engine := "library, "+be.name, "engine of "+be.name
	t, err := b.contest(b.rounds(7),
		contender{library, func(string) (laps, error) {
			return be.onNew(func(store storage.Store) (laps, error) {
				portals, err := portalsWith(store, master)
				if err != nil {
					return nil, err
				}
				return each(func(i int) error {
					_, err := portals.Resolve(ctx, codes[i])
					return err
				})
			})(dir)
		}},
		contender{engine, func(string) (l laps, err error) {
			db, err := be.openEngine(dir)
			if err != nil {
				return nil, err
			}
			defer closeInto(&err, db)
			return each(func(i int) error { return db.read(keys[i]) })
		}},
	)
	return row{
		work: fmt.Sprintf("Resolve of a live link, %s links", count(links)), against: fmt.Sprintf("the engine, the same %d keys", len(keys[len(keys)-1])),
		measured: t.ratio(library, "each", engine, "each"),
		detail:   fmt.Sprintf("%s against %s", secondsText(t.seconds(library, "each")), secondsText(t.seconds(engine, "each"))),
	}, errors.Join(err, os.RemoveAll(dir))
}

// makeLinks fills a directory with portals and returns the codes of some of them in random order.
func (b *bench) makeLinks(ctx context.Context, be backend, dir string, links, customers, sample int) (codes []string, master []byte, err error) {
	if master, err = keys.NewMaster(); err != nil {
		return nil, nil, err
	}
	store, err := be.open(dir, true)
	if err != nil {
		return nil, nil, err
	}
	defer closeInto(&err, store)
	portals, err := portalsWith(store, master)
	if err != nil {
		return nil, nil, err
	}
	ws := portals.DB().Workspace(workspaceID)
	key := func(i int) string { return fmt.Sprintf("hotel-%04d", i) }
	for i := range customers {
		d := data.CustomerData{CustomerKey: key(i)}
		d.Add(data.Site(key(i), "Hotel"))
		if _, err := ws.Push(ctx, d); err != nil {
			return nil, nil, err
		}
	}
	var mu sync.Mutex
	err = parallel(16, links, func(_, i int) error {
		p, err := portals.Create(ctx, ws, portal.CreateRequest{CustomerKey: key(i % customers)})
		if err != nil || i%(links/sample) != 0 {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		codes = append(codes, portal.Code(p.URL.Reveal()))
		if len(codes)%(sample/5) == 0 {
			b.progress("  created %s links", count(i))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	rand.Shuffle(len(codes), func(i, j int) { codes[i], codes[j] = codes[j], codes[i] })
	return codes, master, expect("codes", len(codes), sample)
}

// resolvedKeys returns the keys that the library reads to resolve each code.
func resolvedKeys(ctx context.Context, be backend, dir string, codes []string, master []byte) (keys [][][]byte, err error) {
	store, err := be.open(dir, false)
	if err != nil {
		return nil, err
	}
	defer closeInto(&err, store)
	rec := &recorder{Store: store}
	portals, err := portalsWith(rec, master)
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		rec.reads = nil
		if _, err := portals.Resolve(ctx, code); err != nil {
			return nil, err
		}
		keys = append(keys, rec.reads)
	}
	if rec.scanned {
		return nil, errors.New("the library scans to resolve a code, which the raw reads do not do")
	}
	return keys, nil
}

// portalsWith returns a service with the given master.
func portalsWith(store storage.Store, master []byte) (*portal.Service, error) {
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		return nil, err
	}
	return portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
}
