package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// DefaultDeadline and MaxDeadline are the default and the longest time in which a command must be carried out.
const (
	DefaultDeadline = 30 * time.Second
	MaxDeadline     = 5 * time.Minute
)

const (
	maxAttempts      = 100                 // of a customer that have not ended
	maxTokenBytes    = 256                 // of DoOnce
	maxCreateTime    = time.Minute         // of creating an attempt, and the largest difference of the clocks of two processes
	attemptRetention = 30 * 24 * time.Hour // of attempts that have ended
)

// AttemptStatus is the state of an action attempt.
type AttemptStatus string

// The states of an action attempt. An attempt ends once, as success or as error.
const (
	AttemptPending AttemptStatus = "pending"
	AttemptSuccess AttemptStatus = "success"
	AttemptError   AttemptStatus = "error"
)

// ActionAttempt is a command to a device and its result. Attempts are kept for 30 days.
type ActionAttempt struct {
	ID          uuid.UUID      `json:"action_attempt_id"`
	CustomerKey string         `json:"customer_key"`
	AccountID   uuid.UUID      `json:"connected_account_id"`
	DeviceID    uuid.UUID      `json:"device_id"`
	Command     device.Command `json:"command"`
	PresetKey   string         `json:"climate_preset_key,omitempty"` // of the climate preset whose settings the command has
	Actor       data.Actor     `json:"actor"`

	Status AttemptStatus `json:"status"`

	// Confirmed reports that the device itself confirmed the result. It is meaningful with AttemptSuccess.
	Confirmed bool            `json:"was_confirmed_by_device"`
	Error     *AttemptFailure `json:"error,omitempty"` // set with AttemptError

	// CreatedAt and Deadline are times of the clock of the process that created the attempt. Other processes measure the time between
	// them from when they first see the attempt, so their clocks may differ.
	CreatedAt time.Time `json:"created_at"`
	Deadline  time.Time `json:"deadline"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// attemptRow is the stored form of an attempt.
type attemptRow struct {
	ActionAttempt
	Provider        string    `json:"provider"`
	AccountExternal string    `json:"account"`
	DeviceExternal  string    `json:"device"`
	Token           uuid.UUID `json:"token,omitzero"` // the hash of the token of DoOnce
	Sent            time.Time `json:"sent,omitzero"`  // written before the device is called, so that no holder calls it twice

	// Differed reports that the stored state of the device was not the one that the command asks for when it was sent.
	Differed bool `json:"differed,omitempty"`

	workspace uuid.UUID
	customer  devicedata.CustomerID
	due       time.Time // the deadline by the monotonic clock of this process; set by readQueue
}

// Do creates an action attempt for a command to a device of the scope, and returns it as pending. The running Service that holds
// the account of the device carries it out, in this or another process. It must be done within the deadline, from 1 s to 5
// minutes; 0 selects 30 s. The attempt fails if the device is offline or if no process serves the account.
//
// Commands to one device are carried out one after another, in the order of their attempts. A command is sent at most once, and only
// if Options.CallTimeout, or half of the deadline if that is shorter, remains before the deadline. Otherwise its attempt ends with
// ErrorTimedOut. If the device or its account is deleted before the command is sent, the attempt ends with ErrorDeviceNotFound.
//
// Do returns [ErrDeviceNotFound]; a [validation.Error] for a command that the device does not support or whose settings are out of
// range, with a path such as "command" or "command.climate.heating_set_point" (errors.Is then also matches the error of [device.Command.Check]), for a deadline out of range, and for an actor that
// breaks a rule; and [ErrTooManyAttempts].
func (c *Scope) Do(ctx context.Context, id uuid.UUID, command device.Command, actor data.Actor, deadline time.Duration) (ActionAttempt, error) {
	return c.do(ctx, id, command, "", actor, deadline, uuid.Nil)
}

// DoOnce is like [Scope.Do], but creates at most one action attempt of a customer for a token, so that a call can be repeated. A
// repeated call returns the attempt of the first one as it is now, or [ErrTokenUsed] if that has another device or another command.
// The token is not stored, only its hash. It is remembered for as long as the attempt. A token is not empty, has at most 256 bytes,
// and should contain at least 128 random bits.
func (c *Scope) DoOnce(ctx context.Context, token string, id uuid.UUID, command device.Command, actor data.Actor, deadline time.Duration) (ActionAttempt, error) {
	if token == "" || len(token) > maxTokenBytes {
		return ActionAttempt{}, invalid("token", validation.RuleFormat, nil, "must have 1 to %d bytes", maxTokenBytes)
	}
	hash := sha256.Sum256([]byte(token))
	return c.do(ctx, id, command, "", actor, deadline, uuid.UUID(hash[:16]))
}

// do is like Do. If preset is not empty, the command has the settings of the climate preset with this key. token is the hash of the
// token, or the zero UUID if there is none.
func (c *Scope) do(ctx context.Context, id uuid.UUID, command device.Command, preset string, actor data.Actor, deadline time.Duration, token uuid.UUID) (ActionAttempt, error) {
	if err := validActor(actor); err != nil {
		return ActionAttempt{}, err
	}
	if actor.Type == "" {
		actor.Type = data.ActorHost
	}
	switch {
	case deadline == 0:
		deadline = DefaultDeadline
	case deadline < time.Second || deadline > MaxDeadline:
		return ActionAttempt{}, invalid("deadline", validation.RuleRange, nil, "must be from 1 s to %v", MaxDeadline)
	}
	customer, err := c.customerOfDevice(ctx, id)
	if err != nil {
		return ActionAttempt{}, err
	}
	// The transaction counts only the newer attempts. Nobody creates older ones any more, so their number can only fall.
	first, err := timeID(c.s.now().Add(-maxCreateTime), func(b []byte) (int, error) { return len(b), nil })
	if err != nil {
		return ActionAttempt{}, err
	}
	older, err := c.s.countOlder(ctx, customer, first)
	if err != nil {
		return ActionAttempt{}, err
	}
	var a attemptRow
	err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		row, owner, err := c.findDevice(ctx, tx.Snapshot, id)
		if err != nil {
			return err
		}
		earlier, err := attemptWith(ctx, tx.Tx, c.w.ID(), customer, token)
		if err != nil {
			return err
		}
		if earlier != nil {
			if a = *earlier; a.DeviceID != id || a.Command != command {
				return ErrTokenUsed
			}
			return nil
		}
		accounts, err := devicedata.FindAccounts(ctx, tx.Snapshot, row.AccountID)
		if err != nil {
			return err
		}
		if accounts[0] == nil {
			return ErrDeviceNotFound
		}
		account, err := newAccount(owner.Key, accounts[0])
		if err != nil {
			return err
		}
		d, err := newDevice(account, row, nil)
		if err != nil {
			return err
		}
		if preset != "" {
			at, exists := findPreset(d.ClimatePresets, preset)
			if !exists {
				return ErrClimatePresetNotFound
			}
			command = d.ClimatePresets[at].command()
		}
		if err := checkCommand(command, d); err != nil {
			return err
		}
		newer, err := countNewer(ctx, tx.Tx, customer, first)
		if err != nil {
			return err
		}
		if older+newer >= maxAttempts {
			return ErrTooManyAttempts
		}
		now := c.s.now()
		attempt, err := timeID(c.s.nextAttemptTime(), c.s.db.Rand().Read)
		if err != nil {
			return err
		}
		a = attemptRow{
			ActionAttempt: ActionAttempt{
				ID: attempt, CustomerKey: d.CustomerKey, AccountID: d.AccountID, DeviceID: d.ID, Command: command, PresetKey: preset, Actor: actor,
				Status: AttemptPending, CreatedAt: now, Deadline: now.Add(deadline),
			},
			Provider: account.Provider, AccountExternal: account.ExternalID, DeviceExternal: d.ExternalID, Token: token,
			workspace: c.w.ID(), customer: customer,
		}
		return a.create(tx.Tx)
	})
	if err != nil {
		return ActionAttempt{}, err
	}
	c.s.attempts.set()
	return a.ActionAttempt, nil
}

func checkCommand(command device.Command, d Device) error {
	err := command.Check(d.driver())
	if err == nil {
		return nil
	}
	path := "command"
	if command.Kind == device.SetClimate {
		path = settingAtFault(command.Climate, d)
	}
	if errors.Is(err, device.ErrRejected) {
		return invalid(path, validation.RuleRange, err, "%v", err)
	}
	return invalid(path, validation.RuleFormat, err, "%v", err)
}

// settingAtFault returns the path of the first setting that the thermostat does not accept by itself, or that of all settings. It
// returns the path of the command for a device that is no thermostat.
func settingAtFault(c device.Climate, d Device) string {
	if !d.Can(device.CanSetClimate) {
		return "command"
	}
	for _, s := range []struct {
		name string
		only device.Climate
	}{
		{"mode", device.Climate{Mode: c.Mode}},
		{"fan_mode", device.Climate{FanMode: c.FanMode}},
		{"heating_set_point", device.Climate{HeatingSetPoint: c.HeatingSetPoint}},
		{"cooling_set_point", device.Climate{CoolingSetPoint: c.CoolingSetPoint}},
	} {
		command := device.Command{Kind: device.SetClimate, Climate: s.only}
		if s.only != (device.Climate{}) && command.Check(d.driver()) != nil {
			return "command.climate." + s.name
		}
	}
	return "command.climate"
}

// timeID returns a UUID of version 7 whose first 60 bits without the version are the time in units of 1/4096 ms, as in method 3 of
// RFC 9562, section 6.2. The rest is random. Ids of times that differ by at least a microsecond sort like the times.
func timeID(at time.Time, random func([]byte) (int, error)) (id uuid.UUID, err error) {
	if _, err := random(id[:]); err != nil {
		return id, fmt.Errorf("access: making an id: %w", err)
	}
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(at.UnixMilli()))
	copy(id[:6], millis[2:])
	fraction := at.UnixMicro() % 1000 * 4096 / 1000
	id[6] = byte(fraction>>8) | 0x70
	id[7] = byte(fraction)
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// nextAttemptTime returns the current time, or a microsecond after the last returned time if that is later. The attempts of a
// Service therefore have the order in which they were created, also if the clock is set back.
func (s *Service) nextAttemptTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if next := s.lastAttempt.Add(time.Microsecond); at.Before(next) {
		at = next
	}
	s.lastAttempt = at
	return at
}

// Attempt returns an action attempt of the scope. It returns [ErrAttemptNotFound].
func (c *Scope) Attempt(ctx context.Context, id uuid.UUID) (a ActionAttempt, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		rows, err := s.Reader().Get(ctx, layout.IDIndex(id))
		if err != nil {
			return err
		}
		d := layout.NewDecoder(rows[0])
		customer, kind := d.CustomerID(), d.Byte()
		if rows[0] == nil || d.Done() != nil || kind != layout.KindAttempt {
			return ErrAttemptNotFound
		}
		if _, err := c.owner(ctx, s, customer, ErrAttemptNotFound); err != nil {
			return err
		}
		row, err := readAttempt(ctx, s.Reader(), c.w.ID(), customer, id)
		if err != nil {
			return err
		}
		if row == nil {
			return ErrAttemptNotFound
		}
		a = row.ActionAttempt
		return nil
	})
	return a, err
}

// Wait waits until an action attempt of the scope has ended, and returns it. It returns [ErrAttemptNotFound], or the attempt as it
// was last read and the error of ctx. It notices a result of this Service at once, and that of another process within a fourth of
// Options.Poll. A running Service ends each attempt at its deadline; if the process that sent the command has stopped, another one
// ends the attempt after Options.Lease.
func (c *Scope) Wait(ctx context.Context, id uuid.UUID) (ActionAttempt, error) {
	var last ActionAttempt
	ticker := time.NewTicker(max(c.s.poll/4, time.Millisecond))
	defer ticker.Stop()
	for {
		c.s.mu.Lock()
		ended := c.s.ended
		c.s.mu.Unlock()
		a, err := c.Attempt(ctx, id)
		if err != nil && ctx.Err() != nil {
			return last, ctx.Err()
		}
		if err != nil || a.Status != AttemptPending {
			return a, err
		}
		last = a
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-ended:
		case <-ticker.C:
		}
	}
}

// attemptsEnded wakes the callers of Wait.
func (s *Service) attemptsEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ended)
	s.ended = make(chan struct{})
}

// allAttempts returns all attempts of a customer, the oldest first.
func allAttempts(ctx context.Context, r storage.Reader, customer devicedata.CustomerID) ([]ActionAttempt, error) {
	out := []ActionAttempt{}
	for e, err := range r.Scan(ctx, storage.Prefix(layout.AttemptsPrefix(customer)), storage.ScanOptions{}) {
		if err != nil {
			return nil, err
		}
		var a attemptRow
		if err := decode("an action attempt", e.Value, &a); err != nil {
			return nil, err
		}
		out = append(out, a.ActionAttempt)
	}
	return out, nil
}
