package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lease"
	"github.com/customerportal-go/customerportal/storage"
)

// holder serves one account at a provider while this process has its lease. It has a session for each customer that has connected
// the account, and sends one command at a time to each device, also if several customers share it.
type holder struct {
	s       *Service
	account account
	lease   *lease.Lease
	since   time.Time
	check   signal
	calls   driverCalls

	mu       sync.Mutex
	sessions map[uuid.UUID]*session   // by account id
	started  chan struct{}            // closed and replaced when sessions were started
	devices  map[string][]*attemptRow // attempts that wait, by the external id of the device; an entry exists while its worker runs
	known    map[uuid.UUID]bool       // attempts that wait or run
	damages  map[uuid.UUID]error      // of the rows of accounts, by account id
	stopped  bool
	working  sync.WaitGroup

	wanted   map[string]*program       // programs that wait, by the external id of the device
	breakers map[string]*breaker       // by the external id of the device
	codes    map[uuid.UUID]*knownCodes // by device id
	unread   map[string]time.Time      // when locks that could not be read are read again, by the external id of the device
	returned bool                      // the holder started, or a connection was opened, since the last pass over the due codes
	turns    chan struct{}             // of programs that call their locks

	orphanMu   sync.Mutex
	orphanConn device.Conn // to the account with the secret of its removals; nil if it is not open
	orphanUsed time.Time

	stopping chan struct{}   // closed when no command is sent any more
	ctx      context.Context // of the workers, which continue for a while after the Service stops
	cancel   context.CancelFunc
}

func newHolder(s *Service, at account, held *lease.Lease) *holder {
	ctx, cancel := context.WithCancel(context.Background())
	h := &holder{
		s: s, account: at, lease: held, since: time.Now(), check: make(signal, 1),
		sessions: map[uuid.UUID]*session{}, started: make(chan struct{}), devices: map[string][]*attemptRow{}, known: map[uuid.UUID]bool{},
		returned: true, codes: map[uuid.UUID]*knownCodes{}, unread: map[string]time.Time{}, wanted: map[string]*program{}, breakers: map[string]*breaker{}, turns: make(chan struct{}, maxPrograms),
		stopping: make(chan struct{}), ctx: ctx, cancel: cancel,
	}
	h.check.set()
	return h
}

// run keeps a session for each customer's account until ctx is done, the lease is lost, or there are no account and no removals.
func (h *holder) run(ctx context.Context) {
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var sessions sync.WaitGroup
	defer func() {
		defer h.reportLateCalls()()
		h.stop(cancel)
		cancel()
		sessions.Wait()
		h.closeOrphan(context.WithoutCancel(ctx), false)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.lease.Done():
			return
		case <-h.check:
		}
		rows, err := h.accounts(ctx)
		if err != nil {
			h.s.failed(ctx, "reading an account", err, "provider", h.account.provider)
			continue
		}
		if len(rows) == 0 {
			if has, err := h.hasRemovals(ctx); err != nil {
				h.s.failed(ctx, "reading the removals of an account", err, "provider", h.account.provider)
			} else if !has {
				return
			}
		}
		h.mu.Lock()
		for id, row := range rows {
			if h.sessions[id] == nil && !row.damaged {
				own := newSession(h, row)
				h.sessions[id] = own
				close(h.started)
				h.started = make(chan struct{})
				sessions.Go(func() {
					own.run(serving)
					h.mu.Lock()
					delete(h.sessions, id)
					h.mu.Unlock()
				})
			}
		}
		for id, own := range h.sessions {
			if !rows[id].damaged {
				own.compare(rows[id])
			}
		}
		h.mu.Unlock()
	}
}

// stop waits for the commands that were sent, also for a driver that ignores the end of its context: the lease must be kept until the
// device is certainly not called any more. If the lease was lost, the deadlines of the commands have passed.
func (h *holder) stop(cancel func()) {
	h.mu.Lock()
	h.stopped = true
	close(h.stopping)
	h.mu.Unlock()
	if h.lease.Remaining() <= 0 {
		cancel()
	}
	late := time.AfterFunc(2*h.s.callTimeout, func() { // the time for the calls and for storing their results
		h.cancel()
		cancel()
	})
	h.working.Wait()
	late.Stop()
	h.cancel()
}

// reportLateCalls logs the calls of the driver that run for the duration of a lease from now, unless stop is called before.
func (h *holder) reportLateCalls() (stop func()) {
	timer := time.AfterFunc(h.s.lease, func() {
		if calls := h.calls.list(); len(calls) > 0 {
			h.s.log.Error("a driver does not return; no process serves the account until it does", "provider", h.account.provider, "calls", calls)
		}
	})
	return func() { timer.Stop() }
}

// stored is an account as it is stored, with its workspace.
type stored struct {
	*devicedata.Account
	workspace uuid.UUID
	connects  int // of its details

	damaged bool // the row cannot be decoded; Account is nil
}

// accounts reads the accounts of all customers that have connected this account at the provider. A damaged row of one customer does
// not affect the others.
func (h *holder) accounts(ctx context.Context) (rows map[uuid.UUID]stored, err error) {
	damages := map[uuid.UUID]error{}
	err = devicedata.View(ctx, h.s.db, func(r storage.Reader) error {
		rows = map[uuid.UUID]stored{}
		clear(damages)
		for at, err := range devicedata.AccountsAtProvider(ctx, r, h.account.provider, h.account.externalID) {
			if err != nil {
				return err
			}
			row, err := h.readAccount(ctx, r, at)
			switch {
			case errors.Is(err, storage.ErrCorrupt):
				damages[at.ID] = err
				rows[at.ID] = stored{workspace: at.Workspace, damaged: true}
			case err != nil:
				return err
			case row.Account != nil:
				rows[at.ID] = row
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.reportDamages(ctx, damages)
	return rows, nil
}

// readAccount reads one account. The Account of the result is nil if there is no such account.
func (h *holder) readAccount(ctx context.Context, r storage.Reader, at devicedata.AccountAt) (stored, error) {
	found, err := devicedata.FindAccounts(ctx, h.s.db.Workspace(at.Workspace).At(r), at.ID)
	if err != nil || found[0] == nil {
		return stored{}, err
	}
	var details accountDetails
	if err := decode("the details of an account", found[0].Details, &details); err != nil {
		return stored{}, err
	}
	return stored{Account: found[0], workspace: at.Workspace, connects: details.Connects}, nil
}

// reportDamages logs each damaged row once.
func (h *holder) reportDamages(ctx context.Context, damages map[uuid.UUID]error) {
	h.mu.Lock()
	before := h.damages
	h.damages = damages
	h.mu.Unlock()
	for id, err := range damages {
		if before[id] == nil {
			h.s.failed(ctx, "reading an account", err, "provider", h.account.provider, "connected_account_id", id)
		}
	}
}

// within runs fn in a transaction for a customer of the account, if this process still has the lease. It returns [lease.ErrLost]
// otherwise.
func (h *holder) within(ctx context.Context, at stored, fn func(context.Context, data.CustomerTx) error) error {
	return devicedata.Within(ctx, h.s.db.Workspace(at.workspace), at.Customer, func(ctx context.Context, tx data.CustomerTx) error {
		if err := h.lease.Check(ctx, tx.Tx); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// margin is the part of the lease that a call of a driver leaves unused.
func (h *holder) margin() time.Duration { return h.s.lease / 10 }

// callTime returns the time that a call of a driver that changes a device may take now. It is zero or less if the lease must be
// renewed before.
func (h *holder) callTime() time.Duration {
	return min(h.s.callTimeout, h.lease.Remaining()-h.margin())
}
