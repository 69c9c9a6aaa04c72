package access_test

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/validation"
)

// attribution is longer than the time for which an operation of a lock is attributed to an earlier command.
const attribution = 3 * time.Minute

// bounds are the least and the largest number of activities that are possible.
type bounds struct{ least, most int }

// modelAttempt is a command of the model.
type modelAttempt struct {
	customer   string
	ended      access.ActionAttempt
	activities bounds
}

// result is a possible result of a command.
type result struct {
	failure   access.ErrorType // empty: success
	confirmed bool
	acts      bool // the device carries it out
}

// answer returns the result of a command that reaches the provider.
func (l *life) answer(user, id string) result {
	if l.devices[id] != user {
		return result{failure: access.ErrorDeviceNotFound}
	}
	switch f := l.world.Faults(id); {
	case f.Offline:
		return result{failure: access.ErrorDeviceOffline}
	case f.Deaf:
		return result{}
	case f.Mute:
		return result{acts: true}
	}
	return result{confirmed: true, acts: true}
}

// results returns the possible results of a command that is given now. After an outage, the service opens the connection again after
// a pause that the model does not know.
func (l *life) results(user, id string) (out []result) {
	if l.revoked[user] {
		out = append(out, result{failure: access.ErrorAccountLost})
	}
	if l.unsettled[user] {
		out = append(out, result{failure: access.ErrorDeviceOffline})
	}
	if !l.revoked[user] && !l.outage[user] {
		out = append(out, l.answer(user, id))
	}
	return out
}

// send gives a random command to a device.
func (l *life) send(customer string, d access.Device, deadline time.Duration) access.ActionAttempt {
	kind := []device.CommandKind{device.Lock, device.Unlock}[l.random.IntN(2)]
	l.note("%s %s of %s within %v", kind, d.ExternalID, customer, deadline)
	a, err := l.of(customer).Do(l.t.Context(), d.ID, device.Command{Kind: kind}, data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9, byte(len(l.attempts))}}, deadline)
	require.NoError(l.t, err)
	return a
}

// ended reads an attempt, which must have one of the possible results, and returns it. The effect of the device has been observed.
func (l *life) ended(customer string, a access.ActionAttempt, possible ...result) result {
	ended, err := l.of(customer).Attempt(l.t.Context(), a.ID)
	require.NoError(l.t, err)
	require.NotEqual(l.t, access.AttemptPending, ended.Status)
	got := result{confirmed: ended.Confirmed}
	if ended.Status == access.AttemptError {
		require.NotEmpty(l.t, ended.Error.Type)
		got.failure = ended.Error.Type
	}
	i := slices.IndexFunc(possible, func(r result) bool { return r.failure == got.failure && r.confirmed == got.confirmed })
	require.GreaterOrEqual(l.t, i, 0, "%+v %+v is none of %+v", ended, ended.Error, possible)
	m := &modelAttempt{customer: customer, ended: ended}
	switch got = possible[i]; got.failure {
	case "":
		m.activities = bounds{1, 1}
	case access.ErrorTimedOut, access.ErrorDeviceOffline, access.ErrorAccountLost: // the device may report it later, or another operation is attributed to it
		m.activities.most = 1
		if got.acts {
			m.activities.least = 1
		}
	}
	l.attempts[a.ID] = m
	return got
}

// commands gives some commands to a device, whose faults can change between them, and which somebody may operate by hand.
func (l *life) commands() {
	customer, own, d, ok := l.stored()
	if !ok {
		return
	}
	id := d.ExternalID
	for range 1 + l.random.IntN(4) {
		if l.devices[id] != "" && l.random.IntN(2) == 0 {
			l.setFaults(id)
			synctest.Wait()
		}
		possible, want := l.results(own.user, id), l.locked(id)
		a := l.send(customer, d, time.Duration(1+l.random.IntN(60))*time.Second)
		synctest.Wait()
		if l.ended(customer, a, possible...).acts {
			want = device.Known(a.Command.Kind == device.Lock)
			l.operated(id, customer)
		}
		require.Equal(l.t, want, l.locked(id))
		own.device(id).commanded = time.Now()
		if l.devices[id] != "" && l.random.IntN(3) == 0 {
			l.operateByHand(id)
		}
		time.Sleep(time.Duration(l.random.IntN(30)) * time.Second)
	}
}

// locked returns the true state of a lock, or unknown if it does not exist.
func (l *life) locked(id string) (unknown device.Optional[bool]) {
	if l.devices[id] == "" {
		return unknown
	}
	return l.world.Device(id).State.Locked
}

// slowCommands gives two commands to a slow device, of which the first may time out. The second one must wait until the device has
// carried out the first.
func (l *life) slowCommands() {
	customer, own, d, ok := l.stored()
	if id := d.ExternalID; !ok || l.revoked[own.user] || l.unsettled[own.user] || l.devices[id] != own.user {
		return
	}
	time.Sleep(attribution) // no operation is attributed to an earlier command
	hold, deadline := time.Duration(1+l.random.IntN(8))*time.Second+500*time.Millisecond, time.Duration(1+l.random.IntN(20))*time.Second
	l.note("%s is slow for %v", d.ExternalID, hold)
	time.AfterFunc(hold, l.world.Hold(d.ExternalID))
	answer := l.answer(own.user, d.ExternalID)
	first, before := answer, l.locked(d.ExternalID)
	if hold > deadline && first.failure == "" {
		first = result{failure: access.ErrorTimedOut, acts: answer.acts}
	}
	a, b := l.send(customer, d, deadline), l.send(customer, d, time.Minute)
	time.Sleep(30 * time.Second)
	l.ended(customer, a, first)
	l.ended(customer, b, answer)
	if answer.acts {
		before = device.Known(b.Command.Kind == device.Lock)
		l.operated(d.ExternalID, customer)
		l.operated(d.ExternalID, customer)
	}
	require.Equal(l.t, before, l.locked(d.ExternalID))
	own.devices[d.ExternalID].commanded = time.Now()
}

func (l *life) operate() {
	if id, ok := pick(l.random, sorted(l.devices)); ok {
		l.operateByHand(id)
	}
}

func (l *life) operateByHand(id string) {
	l.note("operate %s", id)
	l.world.Operate(id, device.Operation{Locked: l.random.IntN(2) == 0, Method: device.MethodManual})
	l.operated(id, "")
}

// operated records that a lock reports an operation, which the customers, except the one that caused it, learn if they are connected.
// The service may take it for a late result of a command of theirs, unless by is empty: then it was done by hand.
func (l *life) operated(id, by string) {
	user := l.devices[id]
	if l.world.Faults(id).Offline || l.revoked[user] || l.outage[user] {
		return
	}
	for customer, accounts := range l.customers {
		own := accounts[user]
		if own == nil || customer == by {
			continue
		}
		d := own.device(id)
		d.operations.most++
		if !l.unsettled[user] && (by == "" || time.Since(d.commanded) > attribution) {
			d.operations.least++
		}
	}
}

// delete deletes a device, which the service refuses while it knows that the account lists the device.
func (l *life) delete(customer string, own *modelAccount, id uuid.UUID) {
	export, err := l.of(customer).Export(l.t.Context())
	require.NoError(l.t, err)
	d, err := l.of(customer).Device(l.t.Context(), id)
	require.NoError(l.t, err)
	l.note("delete %s of %s, missing since %v", d.ExternalID, customer, d.MissingSince)
	_, err = l.of(customer).DeleteDevice(l.t.Context(), id)
	if d.MissingSince.IsZero() {
		require.ErrorIs(l.t, err, validation.ErrInvalid)
		return
	}
	require.NoError(l.t, err)
	delete(own.devices, d.ExternalID)
	own.deleted[d.ExternalID] = true
	own.history[id] = 0
	for _, a := range export.Activities {
		if a.DeviceID == id {
			own.history[id]++
		}
	}
}

func (l *life) deleteDevice() {
	if customer, own, d, ok := l.stored(); ok {
		l.delete(customer, own, d.ID)
	}
}

// relist removes a device, deletes it from the account of a customer, and adds it again.
func (l *life) relist() {
	customer, own, d, ok := l.stored()
	id := d.ExternalID
	if !ok || l.devices[id] != own.user {
		return
	}
	l.remove(id)
	synctest.Wait()
	l.delete(customer, own, d.ID)
	l.add(id, own.user)
}
