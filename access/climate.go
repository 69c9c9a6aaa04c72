package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage"
)

const (
	climateInterval = time.Minute      // at which stays that begin or have ended are looked for
	climateLookback = 2 * time.Hour    // a change that could not be made in this time is not made
	climateRetry    = 10 * time.Minute // after a command that failed
)

// climateChange is a change of the settings of a thermostat, because a stay begins or has ended.
type climateChange struct {
	occupied bool
	at       time.Time // of the start, with the preconditioning, or of the end
	grant    data.Ref
	device   Device
}

// runClimate makes the thermostats of all customers follow the stays that begin or have ended.
func (s *Service) runClimate(ctx context.Context) error {
	workspaces, err := s.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	done := map[uuid.UUID]bool{}
	for _, id := range workspaces {
		w := s.db.Workspace(id)
		var changes []climateChange
		var rules []effectiveRules
		err := w.View(ctx, func(snapshot *data.Snapshot) error {
			changes, rules = nil, nil
			for customer, err := range devicedata.Customers(ctx, snapshot, id, "") {
				if err != nil {
					return err
				}
				common, own, err := readRules(ctx, snapshot.Reader(), w, devicedata.IDOf(customer))
				if err != nil {
					return err
				}
				r := own.over(common).effective()
				if r.occupied.IsZero() && r.unoccupied.IsZero() {
					continue
				}
				found, err := s.climateChanges(ctx, snapshot, customer, r)
				if err != nil {
					return err
				}
				for _, c := range found {
					changes, rules = append(changes, c), append(rules, r)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, c := range changes {
			token := c.token(0)
			if !s.climateDone[token] {
				ended, err := s.changeClimate(ctx, w, c, rules[i])
				if err != nil && !isGone(err) {
					return err
				}
				if !ended {
					continue
				}
			}
			done[token] = true
		}
	}
	s.climateDone = done
	return nil
}

// climateChanges returns the last change of each thermostat of a customer whose space a stay begins or leaves.
func (s *Service) climateChanges(ctx context.Context, snapshot *data.Snapshot, customer data.Customer, r effectiveRules) ([]climateChange, error) {
	now := s.now()
	last := map[uuid.UUID]climateChange{}
	add := func(occupied bool, at time.Time, grant data.AccessGrant) error {
		for _, ref := range grant.Spaces {
			taken, err := s.occupied(ctx, snapshot, customer, ref.Key, now, r.precondition)
			if err != nil || taken != occupied {
				return err // another stay decides
			}
			page, err := s.Workspace(snapshot.WorkspaceID()).Customer(customer.Key).At(snapshot).Devices(ctx, DeviceQuery{SpaceKey: ref.Key, Capability: device.CanSetClimate, Limit: 1000})
			if err != nil {
				return err
			}
			for _, d := range page.Items {
				if before, ok := last[d.ID]; !ok || at.After(before.at) {
					last[d.ID] = climateChange{occupied, at, data.Ref{Kind: data.KindAccessGrant, Key: grant.Key}, d}
				}
			}
		}
		return nil
	}
	starts := data.Query{CustomerKey: customer.Key, Limit: 1000, StartsFrom: now.Add(r.precondition - climateLookback), Until: now.Add(r.precondition + time.Microsecond)}
	ends := data.Query{CustomerKey: customer.Key, Limit: 1000, From: now.Add(-climateLookback), EndsUntil: now.Add(time.Microsecond)}
	for _, q := range []struct {
		data.Query
		occupied bool
		skip     bool
	}{{starts, true, r.occupied.IsZero()}, {ends, false, r.unoccupied.IsZero()}} {
		for !q.skip {
			page, err := snapshot.AccessGrants(ctx, q.Query)
			if err != nil {
				return nil, err
			}
			for _, g := range page.Items {
				at := g.EndsAt
				if q.occupied {
					at = g.StartsAt.Add(-r.precondition)
				}
				if err := add(q.occupied, at, g); err != nil {
					return nil, err
				}
			}
			q.Cursor = page.Next
			q.skip = q.Cursor == ""
		}
	}
	changes := make([]climateChange, 0, len(last))
	for _, id := range sortedIDs(last) {
		changes = append(changes, last[id])
	}
	return changes, nil
}

// occupied reports whether a stay in a space has begun, or begins within the time of preconditioning.
func (s *Service) occupied(ctx context.Context, snapshot *data.Snapshot, customer data.Customer, spaceKey string, now time.Time, precondition time.Duration) (bool, error) {
	page, err := snapshot.AccessGrants(ctx, data.Query{
		CustomerKey: customer.Key, SpaceKey: spaceKey, From: now, Until: now.Add(precondition + time.Microsecond), Limit: 1,
		Keep: func(r data.Resource) (bool, error) {
			g, ok := r.(data.AccessGrant)
			return ok && (g.EndsAt.IsZero() || g.EndsAt.After(now)), nil
		},
	})
	return len(page.Items) > 0, err
}

// sortedIDs returns the keys of a map in the order of ids.
func sortedIDs[V any](of map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(of), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}

// token identifies an attempt to make a change, so that it is sent once.
func (c climateChange) token(attempt int) uuid.UUID {
	hash := sha256.Sum256(fmt.Appendf(nil, "climate %s %v %d %q %d", c.device.ID, c.occupied, c.at.UnixMicro(), c.grant.Key, attempt))
	return uuid.UUID(hash[:16])
}

// changeClimate sends the command of a change unless it was sent, again after a failure, and logs the first attempt. It reports whether
// nothing more is to be done.
func (s *Service) changeClimate(ctx context.Context, w *data.Workspace, c climateChange, r effectiveRules) (ended bool, err error) {
	scope := s.Workspace(w.ID()).Customer(c.device.CustomerKey)
	run := AutomationRun{Rule: RunUnoccupied, Success: true, Subject: c.grant, DeviceID: c.device.ID}
	rule := r.unoccupied
	if c.occupied {
		run.Rule, rule = RunOccupied, r.occupied
	}
	preset, settings, err := rule.of(c.device, c.occupied)
	for n := 0; err == nil; n++ {
		known, lookup := scope.attemptOf(ctx, c.token(n))
		if lookup != nil {
			return false, lookup
		}
		if known != nil {
			if known.Status == AttemptError && s.now().Sub(known.EndedAt) >= climateRetry {
				continue
			}
			return known.Status == AttemptSuccess, nil
		}
		var sent ActionAttempt
		sent, err = scope.do(ctx, c.device.ID, device.Command{Kind: device.SetClimate, Climate: settings}, preset, automationActor, MaxDeadline, c.token(n))
		run.AttemptID = sent.ID
		if err == nil && n > 0 {
			return false, nil
		}
		break
	}
	if err != nil {
		run.Success, run.Error = false, device.Label(err.Error())
	}
	id, lookup := scope.customerID(ctx)
	if lookup != nil {
		return false, lookup
	}
	return err != nil, devicedata.Within(ctx, w, id, func(_ context.Context, tx data.CustomerTx) error {
		return s.logRuns(tx.Tx, id, []AutomationRun{run})
	})
}

// attemptOf returns the action attempt that was created with a token, or nil if no attempt was.
func (c *Scope) attemptOf(ctx context.Context, token uuid.UUID) (found *attemptRow, err error) {
	customer, err := c.customerID(ctx)
	if err != nil {
		return nil, err
	}
	err = devicedata.View(ctx, c.s.db, func(r storage.Reader) error {
		found, err = attemptWith(ctx, r, c.w.ID(), customer, token)
		return err
	})
	return found, err
}

// of returns the preset of a device that the rule selects, or settings.
func (r ClimateRule) of(d Device, occupied bool) (preset string, settings device.Climate, err error) {
	if key, ok := r.PresetKey.Get(); ok {
		if _, exists := findPreset(d.ClimatePresets, key); exists {
			return key, settings, nil
		}
	}
	switch {
	case r.Climate != device.Climate{}:
		return "", r.Climate, nil
	case !occupied && d.FallbackPreset != "":
		return d.FallbackPreset, settings, nil
	}
	key, _ := r.PresetKey.Get()
	return "", settings, fmt.Errorf("the thermostat %q has no climate preset %q", d.Name, cmp.Or(key, d.FallbackPreset))
}
