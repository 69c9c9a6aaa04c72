package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
)

// Run serves the accounts of all workspaces until ctx is done: it opens connections, keeps the inventory and the states up to
// date, carries out commands, deletes old attempts and activities, and seals values again after a change of the active key slot. Several processes can run a Service on one store; a lease
// for each account at a provider lets one of them serve it. If a process stops responding, another one takes over its accounts
// after Options.Lease.
//
// Run logs errors and continues. When ctx is done it sends no more commands, waits until those that it has sent are answered or
// Options.CallTimeout has passed since, and returns the error of ctx. If a driver ignores the end of its context, Run returns after
// Options.Lease an error that also matches [ErrNotStopped] and names the running calls. No process serves the account of this driver
// until the driver returns or this process ends, so keep the store open in this case: Run renews the lease in the background.
//
// Run returns [ErrRunning] at once if the Service already runs.
func (s *Service) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer s.running.Store(false)
	leases, err := lease.New(s.db.Store(), lease.Options{Duration: s.lease})
	if err != nil {
		return err
	}
	r := &runner{
		s: s, leases: leases, holders: map[account]*holder{}, damaged: map[string]bool{}, planner: planner{s: s, following: map[uuid.UUID]bool{}},
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		_ = leases.Run(renewing, func(err error) { s.failed(renewing, "renewing the leases of accounts", err) })
	})
	background.Go(func() {
		_ = lease.Work(ctx, s.db.Store(), s.log, "customerportal/access", time.Hour, s.maintain)
	})
	background.Go(func() {
		_ = lease.Work(ctx, s.db.Store(), s.log, "customerportal/access/climate", climateInterval, s.runClimate)
	})
	if s.onAttention != nil {
		background.Go(func() {
			_ = lease.Work(ctx, s.db.Store(), s.log, "customerportal/access/attention", time.Minute, s.notify)
		})
	}
	r.run(ctx)
	ended := make(chan struct{})
	go func() {
		r.holding.Wait()
		stop() // not before: while a driver runs, the lease of its account keeps other processes from sending commands
		background.Wait()
		close(ended)
	}()
	limit := time.NewTimer(s.lease)
	defer limit.Stop()
	select {
	case <-ended:
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("%w: %s: %w", ErrNotStopped, r.unfinished(), ctx.Err())
	}
}

// unfinished describes the calls of drivers that are running.
func (r *runner) unfinished() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for at, h := range r.holders {
		for _, call := range h.calls.list() {
			out = append(out, at.provider+": "+call)
		}
	}
	if len(out) == 0 {
		return "the store did not answer"
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// failed logs an error of background work.
func (s *Service) failed(ctx context.Context, work string, err error, args ...any) {
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, work+" failed", append(args, "error", err)...)
	}
}

// runner starts a holder for each account that this process can lease.
type runner struct {
	s      *Service
	leases *lease.Leases

	// Only deliver uses these.
	damaged   map[string]bool // the errors of damaged rows that were logged
	deadlines deadlines

	lastDue time.Time // of the last pass over the due codes; only programDue uses it
	planner planner   // only the goroutine that plans uses it

	mu         sync.Mutex
	holders    map[account]*holder
	workspaces []uuid.UUID // that have accounts
	holding    sync.WaitGroup
}

// run finds accounts and delivers attempts until ctx is done. Commands do not wait while the leases of many accounts are acquired.
func (r *runner) run(ctx context.Context) {
	r.holding.Go(func() { repeat(ctx, r.s.lease/6, r.s.accounts, r.findAccounts) })
	r.holding.Go(func() { repeat(ctx, max(r.s.poll, time.Millisecond), r.s.plans, r.plan) })
	r.holding.Go(func() { repeat(ctx, max(r.s.poll, time.Millisecond), r.s.due, r.programDue) })
	repeat(ctx, max(r.s.poll, time.Millisecond), r.s.attempts, r.deliver)
}

// repeat calls do at once, at each interval, and after each signal, until ctx is done.
func repeat(ctx context.Context, interval time.Duration, also signal, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-also:
		case <-ticker.C:
		}
	}
}

// acquireBatch is the maximum number of leases that are acquired in one transaction.
const acquireBatch = 200

// plan plans the access codes of all workspaces with accounts.
func (r *runner) plan(ctx context.Context) {
	r.mu.Lock()
	workspaces := r.workspaces
	r.mu.Unlock()
	r.planner.pass(ctx, workspaces, func(follow func()) { r.holding.Go(follow) })
}

// findAccounts starts holders for accounts that no process holds, and tells the running ones to compare their sessions with the
// stored accounts.
func (r *runner) findAccounts(ctx context.Context) {
	found := map[account]bool{}
	workspaces := map[uuid.UUID]bool{}
	err := devicedata.View(ctx, r.s.db, func(reader storage.Reader) error {
		clear(found)
		clear(workspaces)
		for a, err := range devicedata.RemovalAccounts(ctx, reader, uuid.Nil) {
			if err != nil {
				return err
			}
			found[account{a.Provider, a.ExternalID}] = true
		}
		for a, err := range devicedata.AllAccounts(ctx, reader) {
			if err != nil {
				return err
			}
			found[account{a.Provider, a.ExternalID}] = true
			workspaces[a.Workspace] = true
		}
		return nil
	})
	if err != nil {
		r.s.failed(ctx, "listing the accounts", err)
		return
	}
	var free []account // no holder of this process has them
	r.mu.Lock()
	if len(r.workspaces) != len(workspaces) {
		r.s.plans.set()
	}
	r.workspaces = slices.Collect(maps.Keys(workspaces))
	for at := range found {
		if r.holders[at] == nil && r.s.provider(at.provider) != nil {
			free = append(free, at)
		}
	}
	for _, h := range r.holders {
		h.check.set()
	}
	r.mu.Unlock()
	for batch := range slices.Chunk(free, acquireBatch) {
		r.acquire(ctx, batch)
	}
}

// acquire starts holders for those accounts whose leases no process has.
func (r *runner) acquire(ctx context.Context, accounts []account) {
	names := make([]string, len(accounts))
	for i, at := range accounts {
		names[i] = leaseName(at)
	}
	leases, err := r.leases.AcquireAll(ctx, names...)
	if err != nil {
		r.s.failed(ctx, "acquiring the leases of accounts", err)
	}
	for i, held := range leases {
		if held != nil {
			r.hold(ctx, accounts[i], held)
			r.s.attempts.set() // attempts of the account may have waited
		}
	}
}

// leaseName returns the name of the lease of an account at a provider.
func leaseName(at account) string {
	return "customerportal/access/" + at.provider + "/" + strconv.Quote(at.externalID)
}

func (r *runner) holder(at account) *holder {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holders[at]
}

// hold runs a holder until ctx is done, the lease is lost, or no customer has the account any more.
func (r *runner) hold(ctx context.Context, at account, held *lease.Lease) {
	h := newHolder(r.s, at, held)
	r.mu.Lock()
	r.holders[at] = h
	r.mu.Unlock()
	r.holding.Go(func() {
		h.run(ctx)
		r.mu.Lock()
		delete(r.holders, at)
		r.mu.Unlock()
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.s.lease)
		defer cancel()
		if err := held.Release(release); err != nil {
			r.s.failed(release, "releasing the lease of an account", err, "provider", at.provider)
		}
	})
}

// deliver gives the attempts that have not ended to their holders, and ends those whose device was deleted and those that no holder
// has ended in time. It logs each damaged row once.
func (r *runner) deliver(ctx context.Context) {
	p, err := r.s.readQueue(ctx, &r.deadlines)
	if err != nil {
		r.s.failed(ctx, "reading the action attempts", err)
		return
	}
	for _, err := range p.damaged {
		if text := err.Error(); !r.damaged[text] {
			r.damaged[text] = true
			r.s.failed(ctx, "reading an action attempt", err)
		}
	}
	for at, attempts := range p.byAccount {
		if h := r.holder(at); h != nil {
			h.deliver(attempts)
		}
	}
	for _, a := range p.gone {
		r.end(ctx, a, failed(ErrorDeviceNotFound, "the device or its account was deleted"))
	}
	for _, a := range p.overdue {
		r.end(ctx, a, overdue(a))
	}
}

// end writes the result of an attempt. After an error the next delivery tries it again.
func (r *runner) end(ctx context.Context, a *attemptRow, result attemptResult) {
	result.at = r.s.now()
	if _, err := r.s.finishOnce(ctx, a, result); err != nil {
		r.s.failed(ctx, "storing the result of an action attempt", err, "action_attempt_id", a.ID)
	}
}

// isGone reports whether an error says that the customer or the row does not exist any more.
func isGone(err error) bool {
	return errors.Is(err, data.ErrCustomerNotFound) || errors.Is(err, devicedata.ErrNotFound) || errors.Is(err, ErrNotFound)
}
