package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// resolveRows resolves live links from a large number, and reads the same keys directly from the engine. Only one of the two
// can have the directory open, so they open it in turns.
func resolveRows(ctx context.Context, b *bench) (_ []row, err error) {
	links, customers, sample := b.size(1_000_000, 2000), b.size(1000, 10), b.size(50_000, 500)
	dir := filepath.Join(b.dir, "links")
	codes, master, err := b.makeLinks(ctx, dir, links, customers, sample)
	if err != nil {
		return nil, err
	}
	keys, err := resolvedKeys(ctx, dir, codes, master)
	if err != nil {
		return nil, err
	}
	t, err := b.contest(b.size(7, 1),
		contender{"library", func(string) (laps, error) {
			return onLibrary(func(store storage.Store) (laps, error) {
				portals, err := portalsWith(store, master)
				if err != nil {
					return nil, err
				}
				resolve := func(i int) error {
					_, err := portals.Resolve(ctx, codes[i])
					return err
				}
				l := laps{}
				return l, errors.Join(l.eachOf(sample, resolve), l.eachOf(sample, resolve)) // the first time is a warm-up
			})(dir)
		}},
		contender{"engine", func(string) (l laps, err error) {
			db, err := engine.OpenManaged(engineOptions(dir))
			if err != nil {
				return nil, err
			}
			defer closeInto(&err, db)
			read := func(i int) error { return readRaw(db, keys[i]) }
			l = laps{}
			return l, errors.Join(l.eachOf(sample, read), l.eachOf(sample, read))
		}},
	)
	if err != nil {
		return nil, err
	}
	each := func(name string) string { return secondsText(t.seconds(name, "each")) }
	return []row{{
		work: fmt.Sprintf("Resolve of a live link, %s links", count(links)), against: fmt.Sprintf("Badger, the same %d keys", len(keys[0])),
		goal: atMost(1.3), measured: t.ratio("library", "each", "engine", "each"),
		detail: fmt.Sprintf("%s against %s", each("library"), each("engine")),
	}}, nil
}

// makeLinks fills a directory with portals and returns the codes of some of them in random order.
func (b *bench) makeLinks(ctx context.Context, dir string, links, customers, sample int) (codes []string, master []byte, err error) {
	if master, err = keys.NewMaster(); err != nil {
		return nil, nil, err
	}
	store, err := badger.Open(dir, badger.Options{Logger: quietLogger, NoSync: true})
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
func resolvedKeys(ctx context.Context, dir string, codes []string, master []byte) (keys [][][]byte, err error) {
	store, err := openLibrary(dir)
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

// readRaw reads keys from a storage/badger directory in one transaction.
func readRaw(db *engine.DB, keys [][]byte) error {
	txn := db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	for _, key := range keys {
		item, err := txn.Get(append([]byte{1}, key...)) // the prefix of all rows of storage/badger
		if errors.Is(err, engine.ErrKeyNotFound) {
			continue
		}
		if err == nil {
			_, err = item.ValueCopy(nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// portalsWith returns a service with the given master.
func portalsWith(store storage.Store, master []byte) (*portal.Service, error) {
	ring, err := keys.New(0, map[int][]byte{0: master})
	if err != nil {
		return nil, err
	}
	return portal.New(data.Open(store, data.Options{}), portal.Options{BaseURL: "https://portal.example", Keys: ring})
}
