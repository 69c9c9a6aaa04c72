package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lease"
)

// The pauses before a connection is opened again, and the longest time of a call that reads.
const (
	minPause    = time.Second
	maxPause    = 5 * time.Minute
	readTimeout = time.Minute
)

// maxStorePause is the longest pause before a write to the store is tried again.
const maxStorePause = time.Minute

// errLoading and errStoring are wrapped by errors of the store, which say nothing about the account.
var (
	errLoading = errors.New("access: reading the stored devices")
	errStoring = errors.New("access: storing the inventory")
)

// session keeps a connection to the account of one customer open, and stores what its devices report.
type session struct {
	h      *holder
	events *eventBuffer

	mu      sync.Mutex
	row     stored
	openErr error              // of the last attempt to open the connection
	conn    device.Conn        // nil while there is no connection
	changed chan struct{}      // closed and replaced when conn or openErr changes
	restart context.CancelFunc // ends the current connection
	gone    bool               // the account was deleted

	// Only the goroutine of run uses these.
	devices  map[string]*knownDevice // by external id
	firstDue time.Time               // when the first waiting state must be stored; zero if none waits

	expectMu sync.Mutex
	expected map[string][]*expectation // by external id, in the order of the commands
}

// knownDevice is a device that is stored.
type knownDevice struct {
	id uuid.UUID
	memory
}

func newSession(h *holder, row stored) *session {
	return &session{
		h: h, row: row, events: newEventBuffer(), changed: make(chan struct{}), restart: func() {},
		devices: map[string]*knownDevice{}, expected: map[string][]*expectation{},
	}
}

// compare ends the connection if the account was deleted or connected again. Commands then wait for the next connection. It ignores
// a row that was read before the customer connected the account for the last time.
func (s *session) compare(row stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row.Account == nil {
		s.gone = true
		s.restart()
		s.wake()
		return
	}
	if row.connects < s.row.connects {
		return
	}
	again := row.connects > s.row.connects
	s.row = row
	if again {
		s.conn, s.openErr = nil, nil
		s.restart()
		s.wake()
	}
}

// wake tells the waiting commands that the connection changed. The caller holds s.mu.
func (s *session) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// workspace returns the workspace of the account.
func (s *session) workspace() uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.row.workspace
}

// run opens connections until ctx is done or the account is deleted.
func (s *session) run(ctx context.Context) {
	pause := minPause
	for {
		connected, ended := context.WithCancel(ctx)
		s.mu.Lock()
		s.restart = ended
		row, gone := s.row, s.gone
		s.mu.Unlock()
		if gone || ctx.Err() != nil {
			ended()
			return
		}
		began := time.Now()
		err := s.serve(connected, row)
		if connected.Err() != nil {
			ended()
			s.setConn(row, nil, nil) // commands wait for the next connection
			pause = minPause
			continue // ctx is done, or the account was deleted or connected again
		}
		if errors.Is(err, errLoading) {
			s.setConn(row, nil, nil) // commands wait until the store works
			s.h.s.failed(connected, "opening a connection", err, "connected_account_id", row.ID)
		} else {
			s.setConn(row, nil, err)
		}
		if errors.Is(err, lease.ErrLost) || isGone(err) {
			ended()
			return // the holder ends or starts a new session
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		s.setStatus(connected, row, err)
		wait := pause
		if errors.Is(err, device.ErrAccountLost) {
			wait = maxPause // only connecting again repairs it, which ends the pause
		}
		sleep(connected, wait+rand.N(wait/4)) // so that processes do not call a provider at the same time
		pause = min(2*pause, maxPause)
		ended()
	}
}

// setConn stores the connection, or the error of opening it. It does nothing if the account has been connected again
// since row was read.
func (s *session) setConn(row stored, conn device.Conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row.connects != s.row.connects {
		return
	}
	s.conn, s.openErr = conn, err
	s.wake()
}

// connection returns the connection. It waits while the connection is being opened for the first time or after the customer has
// connected the account again. Otherwise it returns the reason for which there is no connection.
func (s *session) connection(ctx context.Context) (device.Conn, error) {
	for {
		s.mu.Lock()
		row, conn, err, changed, gone := s.row, s.conn, s.openErr, s.changed, s.gone
		s.mu.Unlock()
		switch {
		case gone:
			return nil, ErrDeviceNotFound
		case conn != nil:
			return conn, nil
		case err != nil:
			if s.connectedAgain(ctx, row) {
				continue
			}
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// connectedAgain reports whether the account was deleted or connected again since row was read, and compares the session with the
// stored account then.
func (s *session) connectedAgain(ctx context.Context, row stored) bool {
	rows, err := s.h.accounts(ctx)
	if err != nil {
		s.h.s.failed(ctx, "reading an account", err, "connected_account_id", row.ID)
		return false
	}
	current := rows[row.ID]
	if current.damaged || current.Account != nil && current.connects <= row.connects {
		return false
	}
	s.compare(current)
	return true
}

// serve opens a connection and stores what it reports, until the connection is lost or ctx is done.
func (s *session) serve(ctx context.Context, row stored) error {
	secret, err := s.h.s.openSecret(row.ID, row.SealedSecret)
	if err != nil {
		return err
	}
	if err := s.load(ctx, row); err != nil {
		return fmt.Errorf("%w: %w", errLoading, err)
	}
	opening, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := open(opening, s.h.s.provider(row.Provider), device.Account{ID: row.ExternalID, Name: row.Name, Secret: secret}, &s.h.calls)
	if err != nil {
		return err
	}
	defer func() {
		if err := conn.Close(); err != nil {
			s.h.s.failed(ctx, "closing a connection", err, "connected_account_id", row.ID)
		}
	}()
	s.setConn(row, conn, nil)
	s.h.connected()
	watching, stop := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() { lost <- conn.Watch(watching, s.receiver(row)) }()
	err = s.follow(ctx, row, conn, lost)
	stop()
	return err
}

// follow stores the events until the connection is lost. It waits for the end of Watch. Events that cannot be stored wait in the
// buffer, also for the next connection.
func (s *session) follow(ctx context.Context, row stored, conn device.Conn, lost <-chan error) error {
	var (
		reread <-chan time.Time // when to read the inventory again; nil unless reading it failed or is requested too often
		resume <-chan time.Time // when to use the store again; nil unless it failed
		due    <-chan time.Time // when to store the waiting states
		reads  limiter          // of the inventory

		pause, storePause = minPause, minPause
	)
	end := func(err error) error {
		if closing := conn.Close(); closing != nil { // ends Watch
			s.h.s.failed(ctx, "closing a connection", closing, "connected_account_id", row.ID)
		}
		<-lost
		return err
	}
	// storeFailed keeps a batch until the store is used again.
	storeFailed := func(work string, err error, rest batch) {
		s.h.s.failed(ctx, work, err, "connected_account_id", row.ID)
		s.events.putBack(rest)
		resume = time.After(storePause)
		storePause = min(2*storePause, maxStorePause)
	}
	for {
		select {
		case <-ctx.Done():
			return end(ctx.Err())
		case err := <-lost:
			if resume == nil { // the next connection may be far away
				s.storeRest(ctx, row)
			}
			return err
		case <-s.events.wake:
		case <-reread:
			reread = nil
			s.events.resync()
		case <-resume:
			resume = nil
		case <-due:
			due = nil
		}
		if resume != nil {
			continue // the events wait until the store is used again
		}
		batch := s.events.take()
		var lasting error     // ends the connection
		var early []operation // of devices that could not be added
		if now := time.Now(); batch.resync && now.Before(reads.next(now)) {
			// The driver requests it too often.
			batch.resync = false
			reread = time.After(reads.next(now).Sub(now))
			batch.operations, early = s.separate(batch.operations)
		}
		if batch.resync {
			reread = nil
			reads.use(time.Now())
			err := s.resync(ctx, row, conn)
			switch {
			case err == nil:
				pause = minPause
				clear(batch.states) // the inventory is not older
				if err := s.verifyAll(ctx, row); err != nil {
					s.h.s.failed(ctx, "reading the access codes of an account", err, "connected_account_id", row.ID)
					reread = time.After(pause)
				}
			case errors.Is(err, lease.ErrLost), isGone(err):
				return end(err)
			case errors.Is(err, errStoring):
				storeFailed("storing the inventory", err, batch)
				continue
			case errors.Is(err, device.ErrAccountLost):
				lasting = err
			default:
				s.h.s.failed(ctx, "reading the inventory", err, "connected_account_id", row.ID)
				reread = time.After(pause)
				pause = min(2*pause, maxPause)
			}
			batch.resync = false
			if err != nil {
				batch.operations, early = s.separate(batch.operations)
			}
		}
		for externalID := range batch.codes {
			s.h.program(externalID, true, false)
		}
		clear(batch.codes)
		wrote, err := s.store(ctx, row, &batch)
		s.events.putBackOperations(early)
		switch {
		case err == nil:
			if wrote {
				storePause = minPause
			}
		case errors.Is(err, lease.ErrLost), errors.Is(err, data.ErrCustomerNotFound):
			return end(err)
		default:
			storeFailed("storing the states of devices", err, batch)
		}
		if lasting != nil {
			return end(lasting)
		}
		due = s.nextDue()
	}
}

// setStatus stores the state of the connection if it differs from the stored one.
func (s *session) setStatus(ctx context.Context, row stored, cause error) {
	next := accountDetails{Status: AccountConnected}
	switch {
	case errors.Is(cause, device.ErrAccountLost):
		next.Status = AccountLost
	case cause != nil:
		next.Status = AccountUnreachable
	}
	if cause != nil {
		next.Error = device.Label(cause.Error())
	}
	err := s.h.within(ctx, row, func(ctx context.Context, tx data.CustomerTx) error {
		accounts, err := devicedata.FindAccounts(ctx, tx.Snapshot, row.ID)
		if err != nil || accounts[0] == nil {
			return err
		}
		var old accountDetails
		if err := decode("the details of an account", accounts[0].Details, &old); err != nil {
			return err
		}
		if old.Connects != row.connects {
			return nil // connected again in the meantime
		}
		now := s.h.s.now()
		next.StatusSince, next.FirstSyncAt, next.Connects, next.Settings = old.StatusSince, old.FirstSyncAt, old.Connects, old.Settings
		if next.Status != old.Status {
			next.StatusSince = now
		}
		if next.Status == AccountConnected && next.FirstSyncAt.IsZero() {
			next.FirstSyncAt = now
		}
		details := encode(next)
		if bytes.Equal(details, encode(old)) {
			return nil
		}
		accounts[0].Details = details
		return devicedata.UpdateAccount(ctx, tx, *accounts[0])
	})
	if err != nil && !isGone(err) && !errors.Is(err, lease.ErrLost) {
		s.h.s.failed(ctx, "storing the status of an account", err, "connected_account_id", row.ID)
	}
}
