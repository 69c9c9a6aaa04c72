package access

import (
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
	"github.com/customerportal-go/customerportal/keys"
)

// The pauses before a connection is opened again, and the longest time of a call that reads.
const (
	minPause    = time.Second
	maxPause    = 5 * time.Minute
	readTimeout = time.Minute
)

// errLoading is wrapped by the errors of the store, which say nothing about the account.
var errLoading = errors.New("access: reading the stored devices")

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
	id   uuid.UUID
	name string
	memory
}

func newSession(h *holder, row stored) *session {
	return &session{
		h: h, row: row, events: newEventBuffer(), changed: make(chan struct{}), restart: func() {},
		devices: map[string]*knownDevice{}, expected: map[string][]*expectation{},
	}
}

// compare ends the connection if the account was deleted or connected again.
func (s *session) compare(row stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row.Account == nil {
		s.gone = true
		s.restart()
		s.wake()
		return
	}
	again := row.connects != s.row.connects
	s.row = row
	if again {
		s.restart()
	}
}

// wake tells the waiting commands that the connection changed. The caller holds s.mu.
func (s *session) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *session) open(row stored) (string, error) {
	secret, err := s.h.s.keys.Open(keys.PurposeAccount, devicedata.SecretKey(row.ID), row.SealedSecret)
	return string(secret), err
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
			s.setConn(nil, nil) // commands wait for the next connection
			pause = minPause
			continue // ctx is done, or the account was deleted or connected again
		}
		if errors.Is(err, errLoading) {
			s.setConn(nil, nil)
			s.h.s.failed(connected, "opening a connection", err, "connected_account_id", row.ID)
			sleep(connected, minPause)
			ended()
			continue
		}
		s.setConn(nil, err)
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

// setConn stores the connection, or the reason for which there is none.
func (s *session) setConn(conn device.Conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.openErr = conn, err
	s.wake()
}

// connection returns the connection, waiting while it is being opened for the first time. It returns the reason if there is none.
func (s *session) connection(ctx context.Context) (device.Conn, error) {
	for {
		s.mu.Lock()
		conn, err, changed, gone := s.conn, s.openErr, s.changed, s.gone
		s.mu.Unlock()
		switch {
		case gone:
			return nil, ErrDeviceNotFound
		case conn != nil:
			return conn, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// serve opens a connection and stores what it reports, until the connection is lost or ctx is done.
func (s *session) serve(ctx context.Context, row stored) error {
	secret, err := s.open(row)
	if err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := s.h.s.provider(row.Provider).Open(opening, device.Account{ID: row.ExternalID, Name: row.Name, Secret: device.NewSecret(secret)})
	if err != nil {
		return err
	}
	defer func() {
		if err := conn.Close(); err != nil {
			s.h.s.failed(ctx, "closing a connection", err, "connected_account_id", row.ID)
		}
	}()
	if err := s.load(ctx, row); err != nil {
		return fmt.Errorf("%w: %w", errLoading, err)
	}
	s.setConn(conn, nil)
	watching, stop := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() { lost <- conn.Watch(watching, s.events.add) }()
	err = s.follow(ctx, row, conn, lost)
	stop()
	return err
}

// follow stores the events until the connection is lost. It waits for the end of Watch.
func (s *session) follow(ctx context.Context, row stored, conn device.Conn, lost <-chan error) error {
	var retry, due <-chan time.Time // when to read the inventory again, and when to store the waiting states
	pause := minPause
	for {
		select {
		case <-ctx.Done():
			if err := conn.Close(); err != nil {
				s.h.s.failed(ctx, "closing a connection", err, "connected_account_id", row.ID)
			}
			<-lost
			return ctx.Err()
		case err := <-lost:
			return err
		case <-s.events.wake:
		case <-retry:
			s.events.resync()
		case <-due:
		}
		batch := s.events.take()
		if batch.resync {
			retry = nil
			if err := s.resync(ctx, row, conn); err != nil {
				if errors.Is(err, device.ErrAccountLost) || errors.Is(err, lease.ErrLost) || isGone(err) {
					_ = conn.Close() // ends Watch
					<-lost
					return err
				}
				s.h.s.failed(ctx, "reading the inventory", err, "connected_account_id", row.ID)
				retry = time.After(pause)
				pause = min(2*pause, maxPause)
			} else {
				pause = minPause
				clear(batch.states) // the inventory is not older
			}
		}
		if err := s.store(ctx, row, batch); err != nil {
			if errors.Is(err, lease.ErrLost) || errors.Is(err, data.ErrCustomerNotFound) {
				_ = conn.Close()
				<-lost
				return err
			}
			s.h.s.failed(ctx, "storing the states of devices", err, "connected_account_id", row.ID)
			s.events.putBack(batch)
			retry = time.After(minPause)
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
		next.StatusSince, next.FirstSyncAt, next.Connects = old.StatusSince, old.FirstSyncAt, old.Connects
		if next.Status != old.Status {
			next.StatusSince = now
		}
		if next.Status == AccountConnected && next.FirstSyncAt.IsZero() {
			next.FirstSyncAt = now
		}
		if next == old {
			return nil
		}
		accounts[0].Details = encode(next)
		return devicedata.UpdateAccount(ctx, tx, *accounts[0])
	})
	if err != nil && !isGone(err) && !errors.Is(err, lease.ErrLost) {
		s.h.s.failed(ctx, "storing the status of an account", err, "connected_account_id", row.ID)
	}
}
