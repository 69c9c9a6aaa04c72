package access

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// programDue starts the programs of the locks with codes or removals that are due. A pass without work reads a row for each account and
// each account with removals.
func (r *runner) programDue(ctx context.Context) {
	now := r.s.now()
	until := now
	back := now.Before(r.lastDue.Add(-setBack))
	if back { // times that were computed before may be too late
		until = r.lastDue.Add(maxBreakerPause)
	}
	r.lastDue = now
	r.mu.Lock()
	holders := make([]*holder, 0, len(r.holders))
	for _, h := range r.holders {
		holders = append(holders, h)
	}
	r.mu.Unlock()
	if back {
		for _, h := range holders {
			h.resync()
		}
	}
	due := map[*holder]map[string]bool{}
	ends := map[*holder]time.Time{} // codes that are due until then are tried
	for _, h := range holders {
		if ends[h] = until; h.takeReturned() {
			ends[h] = later(until, now.Add(maxBreakerPause))
			h.programRemovals(ctx)
		}
	}
	err := devicedata.View(ctx, r.s.db, func(reader storage.Reader) error {
		clear(due)
		byAccount := map[account][]uuid.UUID{}
		for a, err := range devicedata.RemovalAccounts(ctx, reader, uuid.Nil) {
			if err != nil {
				return err
			}
			at := account{a.Provider, a.ExternalID}
			byAccount[at] = append(byAccount[at], a.ID)
		}
		for _, h := range holders {
			ids := map[uuid.UUID]bool{}
			for _, id := range append(h.accountIDs(), byAccount[h.account]...) {
				ids[id] = true
			}
			for id := range ids {
				found, err := dueDevices(ctx, reader, id, ends[h])
				if err != nil {
					return err
				}
				if len(found) > 0 && due[h] == nil {
					due[h] = map[string]bool{}
				}
				for externalID := range found {
					due[h][externalID] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		r.s.failed(ctx, "reading the access codes that are due", err)
		if back {
			r.lastDue = until // as if the clock had not been set back yet
		}
		for h, end := range ends {
			if end.After(until) {
				h.mu.Lock()
				h.returned = true
				h.mu.Unlock()
			}
		}
		return
	}
	for _, h := range holders {
		for externalID := range due[h] {
			h.program(externalID, false, ends[h].After(now))
		}
		for _, externalID := range h.takeUnread(now) {
			h.program(externalID, true, false)
		}
		h.closeOrphan(ctx, true)
	}
}

// dueDevices returns the external ids of the devices of an account with codes or removals that are due at a time.
func dueDevices(ctx context.Context, r storage.Reader, account uuid.UUID, at time.Time) (map[string]bool, error) {
	found := map[string]bool{}
	seen := map[uuid.UUID]bool{}
	var devices [][]byte
	var rows []devicedata.Due
	for due, err := range devicedata.DueCodes(ctx, r, account, maxDueEntries) {
		if err != nil {
			return nil, err
		}
		if due.At.After(at) {
			break
		}
		if due.Removal {
			removal, err := devicedata.FindRemoval(ctx, r, account, due.Code)
			if errors.Is(err, devicedata.ErrNotFound) {
				continue // the consistency check reports it
			}
			if err != nil {
				return nil, err
			}
			found[removal.DeviceExternalID] = true
			continue
		}
		if !seen[due.Device] {
			seen[due.Device] = true
			rows = append(rows, due)
			devices = append(devices, layout.Device(due.Customer, due.Device))
		}
	}
	if len(devices) == 0 {
		return found, nil
	}
	values, err := r.Get(ctx, devices...)
	if err != nil {
		return nil, err
	}
	for i, value := range values {
		if value == nil {
			continue // deleted; its codes are removals
		}
		d, err := devicedata.DecodeDevice(rows[i].Customer, rows[i].Device, value)
		if err != nil {
			continue // the consistency check reports it
		}
		found[d.ExternalID] = true
	}
	return found, nil
}

// program lets the worker of a device program its lock. verify and retry: see [program].
func (h *holder) program(externalID string, verify, retry bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	wanted := h.wanted[externalID]
	if wanted == nil {
		wanted = &program{h: h, device: externalID, calls: map[uuid.UUID]int{}, newPINs: map[uuid.UUID]int{}, emptied: map[uuid.UUID]bool{}, acked: map[uuid.UUID]string{}, failed: map[uuid.UUID]bool{}}
		h.wanted[externalID] = wanted
	}
	wanted.verify, wanted.retry = wanted.verify || verify, wanted.retry || retry
	if _, running := h.devices[externalID]; !running {
		h.devices[externalID] = nil
		h.working.Go(func() { h.work(externalID) })
	}
}

// resync lets all sessions read their inventories and locks again.
func (h *holder) resync() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, own := range h.sessions {
		own.events.resync()
		own.events.wake.set()
	}
}

// programRemovals programs all locks with removals, because the clock may have been set back since the times at which they are due
// were computed.
func (h *holder) programRemovals(ctx context.Context) {
	locks := map[string]bool{}
	err := devicedata.View(ctx, h.s.db, func(r storage.Reader) error {
		clear(locks)
		accounts, err := h.removalAccounts(ctx, r)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			for removal, err := range devicedata.RemovalsOfAccount(ctx, r, a.ID) {
				if err != nil {
					return err
				}
				locks[removal.DeviceExternalID] = true
			}
		}
		return nil
	})
	if err != nil {
		h.s.failed(ctx, "reading the removals of an account", err, "provider", h.account.provider)
	}
	for externalID := range locks {
		h.program(externalID, false, true)
	}
}

// verifyLater lets the lock be read again after a pause.
func (h *holder) verifyLater(externalID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread[externalID] = h.s.now().Add(waitPause)
}

// takeUnread returns the locks that must be read again.
func (h *holder) takeUnread(now time.Time) (locks []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for externalID, at := range h.unread {
		if !now.Before(at) || at.Sub(now) > waitPause { // the clock was set back
			locks = append(locks, externalID)
			delete(h.unread, externalID)
		}
	}
	return locks
}

// breaker returns the circuit breaker of a device. Only the worker of the device uses it.
func (h *holder) breaker(externalID string) *breaker {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.breakers[externalID] == nil {
		h.breakers[externalID] = &breaker{}
	}
	return h.breakers[externalID]
}

// accountIDs returns the ids of the accounts with sessions.
func (h *holder) accountIDs() (ids []uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.sessions {
		ids = append(ids, id)
	}
	return ids
}

// connected makes the next pass try the codes again that wait after a failure.
func (h *holder) connected() {
	h.mu.Lock()
	h.returned = true
	h.mu.Unlock()
	h.s.due.set()
}

// takeReturned reports whether connected was called since the last call.
func (h *holder) takeReturned() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	returned := h.returned
	h.returned = false
	return returned
}

// verifyAll lets all locks with access codes be read again, because events may be missing.
func (s *session) verifyAll(ctx context.Context, row stored) error {
	ids := map[uuid.UUID]bool{}
	err := s.h.s.db.Workspace(row.workspace).View(ctx, func(snapshot *data.Snapshot) error {
		clear(ids)
		for c, err := range devicedata.Codes(ctx, snapshot, row.Customer) {
			if err != nil {
				return err
			}
			if c.AccountID == row.ID && c.Slot != 0 {
				ids[c.DeviceID] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for externalID, known := range s.devices {
		if ids[known.id] {
			s.h.program(externalID, true, true)
		}
	}
	return nil
}
