package postgres_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// commandTest gives commands to the locks of a hotel.
type commandTest struct {
	*hotel
	hosts  map[string]*host
	owners map[string]string // the process that had a lease, by its token
	round  int
}

func (c *commandTest) addHost() *host {
	c.t.Helper()
	h := c.start()
	c.hosts[h.name] = h
	return h
}

// do gives a command to a lock.
func (c *commandTest) do(lock string) access.ActionAttempt {
	c.t.Helper()
	command := device.Command{Kind: []device.CommandKind{device.Unlock, device.Lock}[c.round%2]}
	attempt, err := c.scope(customer).Do(c.t.Context(), c.devices(customer)[lock], command, data.Actor{}, access.MaxDeadline)
	require.NoError(c.t, err)
	return attempt
}

func (c *commandTest) wait(attempt access.ActionAttempt) access.ActionAttempt {
	c.t.Helper()
	attempt, err := c.scope(customer).Wait(c.t.Context(), attempt.ID)
	require.NoError(c.t, err)
	require.NotEqual(c.t, access.AttemptPending, attempt.Status)
	return attempt
}

// commands gives a command to each of the locks, requires that each was sent once and succeeded, and returns the process that sent the
// last one. While a lease does not change, only its process may send commands.
func (c *commandTest) commands(locks ...string) *host {
	c.t.Helper()
	c.round++
	lease, from := c.lease(), len(c.calls("Do"))
	var attempts []access.ActionAttempt
	for _, lock := range locks {
		attempts = append(attempts, c.do(lock))
	}
	for _, attempt := range attempts {
		attempt = c.wait(attempt)
		require.Equal(c.t, access.AttemptSuccess, attempt.Status, "%+v", attempt.Error)
	}
	calls := c.calls("Do")[from:]
	sent := map[string]int{}
	for i, call := range calls {
		require.Equal(c.t, attempts[0].Command, call.Command)
		sent[call.Device]++
		require.Equal(c.t, 1, sent[call.Device], "a command is sent once: %+v", calls[:i+1])
	}
	require.Len(c.t, sent, len(locks))
	sender := calls[len(calls)-1].Caller
	if c.lease() == lease {
		if c.owners[lease] == "" {
			c.owners[lease] = sender
		}
		for _, call := range calls {
			require.Equal(c.t, c.owners[lease], call.Caller, "only the process with the lease sends commands")
		}
	}
	require.Contains(c.t, c.hosts, sender)
	return c.hosts[sender]
}

// inFlight gives a command to a lock that does not answer, and returns when a process has sent it. The process is that with the lease.
func (c *commandTest) inFlight(lock string) (attempt access.ActionAttempt, sender *host, release func()) {
	c.t.Helper()
	c.round++
	from := len(c.calls("Do", lock))
	release = c.world.Hold(lock)
	attempt = c.do(lock)
	var calls []simulated.Call
	c.eventually(func() string {
		if calls = c.calls("Do", lock)[from:]; len(calls) == 0 {
			return "the command is not sent"
		}
		return ""
	})
	return attempt, c.hosts[calls[0].Caller], release
}

// TestAccess_ProcessStopsDuringACommand_AnotherTakesOverAndSendsNothingTwice runs two processes with the devices of one account. A process is
// paused, or killed, while a lock works on its command. The other one must carry out the commands to the other locks, and the unanswered
// command must be sent once and end once, also after the paused process continues.
func TestAccess_ProcessStopsDuringACommand_AnotherTakesOverAndSendsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			c := &commandTest{hotel: newHotel(t, 3), hosts: map[string]*host{}, owners: map[string]string{}}
			c.addHost()
			c.connect(customer)
			c.addHost()
			all := c.world.Devices(hub)
			c.commands(all...)
			for round := range 2 { // each process stops once
				held, others := all[round], append(append([]string{}, all[:round]...), all[round+1:]...)
				before := len(c.calls("Do", held))
				attempt, stopped, release := c.inFlight(held)
				if killed {
					stopped.kill()
				} else {
					stopped.pause()
				}
				next := c.commands(others...)
				require.NotEqual(t, stopped.name, next.name)
				release()
				attempt = c.wait(attempt)
				if killed {
					c.addHost()
				} else {
					stopped.resume()
				}
				c.commands(others...)
				c.commands(all...)
				require.Len(t, c.calls("Do", held), before+2, "the command of the process that stopped was sent once")
				stored, err := c.scope(customer).Attempt(t.Context(), attempt.ID)
				require.NoError(t, err)
				require.Equal(t, attempt, stored, "the result does not change")
			}
			require.Empty(t, c.world.Conflicts())
			c.requireSound()
		})
	}
}
