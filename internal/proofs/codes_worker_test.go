package proofs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
)

// codeWorker is the program that is killed: a service that programs the doors, and a goroutine for each customer that creates,
// changes and cancels access grants.
type codeWorker struct {
	svc   *access.Service
	ws    *data.Workspace
	life  int
	clock *shiftedClock
	mu    sync.Mutex // of changes of the clock
}

// maxGrants is the greatest number of access grants of a customer.
const maxGrants = 6

// workOnCodes prints the calls of the locks as [doorProvider] reports them, "late" when a call of the process before is carried out,
// "op" before a change of a customer and "ok" after it, and "clock" before the clock changes.
func workOnCodes(dir string, seed uint64) {
	ctx := context.Background()
	printLine("opening")
	d, err := readDoors(dir)
	must(err)
	store, err := openSmall(dir)
	must(err)
	w := &codeWorker{life: d.Life, clock: &shiftedClock{}}
	w.clock.shift.Store(int64(d.Shift))
	world := d.world()
	var faults sync.Mutex
	random := rand.New(rand.NewPCG(seed, 99))
	provider := doorProvider{world.Provider("hub"), printCall, func() callFault {
		faults.Lock()
		fault, duration := random.IntN(20), time.Duration(random.IntN(100))*time.Millisecond
		faults.Unlock()
		time.Sleep(duration) // so that many kills interrupt a call
		switch fault {
		case 0:
			return lost
		case 1:
			return unheard
		}
		return noFault
	}, &sync.RWMutex{}}
	w.svc, w.ws, err = codeService(reportingStore{store}, w.clock, provider)
	must(err)
	wait, err := d.finishLate(world, provider)
	must(err)
	var all sync.WaitGroup
	all.Go(wait)
	all.Go(func() { must(w.svc.Run(ctx)) })
	for i, customer := range doorCustomers {
		all.Go(func() { must(w.change(ctx, customer, rand.New(rand.NewPCG(seed, uint64(i))))) })
	}
	all.Wait()
}

// change changes a customer until the process is killed.
func (w *codeWorker) change(ctx context.Context, customer string, random *rand.Rand) error {
	if err := prepare(ctx, w.svc, w.ws, customer); err != nil {
		return err
	}
	for n := 0; ; n++ {
		page, err := w.ws.AccessGrants(ctx, data.Query{CustomerKey: customer, Limit: 1000})
		if err != nil {
			return err
		}
		if err := w.changeOnce(ctx, customer, n, page.Items, random); err != nil {
			return err
		}
		time.Sleep(time.Duration(50+random.IntN(150)) * time.Millisecond)
	}
}

func (w *codeWorker) changeOnce(ctx context.Context, customer string, n int, grants []data.AccessGrant, random *rand.Rand) error {
	kind := random.IntN(20)
	switch {
	case kind == 19:
		return w.operation(customer, "drop", "", func() error {
			_, err := w.ws.Delete(ctx, data.Selection{CustomerKeys: []string{customer}})
			if err != nil {
				return err
			}
			return prepare(ctx, w.svc, w.ws, customer)
		})
	case kind == 18:
		w.mu.Lock()
		defer w.mu.Unlock()
		next := w.clock.shift.Load() + int64(time.Duration(1+random.IntN(60))*time.Minute)
		printLine("clock %d", next)
		w.clock.shift.Store(next)
		return nil
	case len(grants) == 0 || kind < 9 && len(grants) < maxGrants:
		g := data.AccessGrant{Kind: data.KindReservation, Key: fmt.Sprintf("%s-g%d-%d", customer, w.life, n), Spaces: someSpaces(customer, random)}
		if random.IntN(3) == 0 {
			g.PreferredCode = []string{"4815", "162342", "27182"}[random.IntN(3)]
		}
		g.StartsAt = w.clock.now().Add(time.Duration(-60+random.IntN(200)) * time.Minute).Truncate(time.Second)
		g.EndsAt = g.StartsAt.Add(time.Duration(90+random.IntN(1000)) * time.Minute)
		return w.operation(customer, "book", g.Key, func() error { return w.push(ctx, customer, g) })
	}
	old := grants[random.IntN(len(grants))]
	g := data.AccessGrant{Kind: data.KindReservation, Key: old.Key, StartsAt: old.StartsAt, EndsAt: old.EndsAt}
	switch {
	case kind < 11:
		g.EndsAt = g.EndsAt.Add(2 * time.Hour)
		return w.operation(customer, "extend", g.Key, func() error { return w.push(ctx, customer, g) })
	case kind < 13:
		g.StartsAt = g.StartsAt.Add(time.Duration(-60+random.IntN(120)) * time.Minute)
		g.EndsAt = g.StartsAt.Add(time.Duration(30+random.IntN(600)) * time.Minute)
		return w.operation(customer, "move", g.Key, func() error { return w.push(ctx, customer, g) })
	case kind < 15:
		g.Spaces = someSpaces(customer, random)
		return w.operation(customer, "rooms", g.Key, func() error { return w.push(ctx, customer, g) })
	}
	return w.operation(customer, "cancel", g.Key, func() error {
		_, err := w.ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindReservation, g.Key)})
		return err
	})
}

func (w *codeWorker) push(ctx context.Context, customer string, g data.AccessGrant) error {
	_, err := w.ws.Push(ctx, data.CustomerData{CustomerKey: customer, AccessGrants: []data.AccessGrant{g}})
	return err
}

// operation reports a change before and after it.
func (w *codeWorker) operation(customer, kind, key string, do func() error) error {
	printLine("op %s %s %s", customer, kind, key)
	if err := do(); err != nil {
		return err
	}
	printLine("ok %s %s %s", customer, kind, key)
	return nil
}

// someSpaces returns one or two spaces with locks.
func someSpaces(customer string, random *rand.Rand) []data.Ref {
	var names []string
	for _, i := range random.Perm(len(doorSpaces))[:1+random.IntN(2)] {
		names = append(names, spaceOf(customer, doorSpaces[i]))
	}
	return data.Refs(data.KindRoom, names...)
}
