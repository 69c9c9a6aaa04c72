package zigbee2mqtt

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// reach makes a slot equal to a desired one, as a caller does that repeats a command until a read shows its result.
func reach(t *testing.T, c device.Coder, desired device.Slot) {
	t.Helper()
	require.Eventually(t, func() bool {
		if slots, err := c.Codes(t.Context(), testLock, desired.Index); err == nil && slots[0] == desired {
			return true
		}
		err := change(t, c, desired)
		if err != nil {
			require.True(t, errors.Is(err, device.ErrOffline) || errors.Is(err, device.ErrUnconfirmed), "%v", err)
		}
		return false
	}, eventually, 20*time.Millisecond)
}

// change sets or clears a slot once.
func change(t *testing.T, c device.Coder, desired device.Slot) error {
	if desired.Occupied() {
		return c.SetCode(t.Context(), testLock, desired)
	}
	return c.ClearCode(t.Context(), testLock, desired.Index)
}

func TestCodes_BrokerAndZigbee2MQTTKilled_DesiredStateIsReached(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.provider.times.answer = 2 * time.Second // a program that was killed does not answer
	c := p.open(t)
	foreign, old := slotOf(5, "998877"), slotOf(6, "112233")
	p.writeCode(testLock, foreign)
	p.writeCode(testLock, old)
	desired := []device.Slot{slotOf(1, "0012345"), slotOf(2, "271828"), slotOf(3, "314159"), {Index: 6, State: device.SlotEmpty}}
	restart := func(broker, program bool) {
		if program {
			p.kill()
		}
		if broker {
			p.stop()
			p.start()
		}
		if program {
			p.run()
		}
	}
	for i, s := range desired {
		before, err := c.Codes(t.Context(), testLock, s.Index)
		require.NoError(t, err)
		require.NotEqual(t, s, before[0])
		p.do("fault", testLock, "held", true) // the lock is slow, until the program is killed or the fault ends
		sent := call[int](p, "sent", testLock)
		result := make(chan error, 1)
		go func() { result <- change(t, c, s) }()
		require.Eventually(t, func() bool { return call[int](p, "sent", testLock) > sent }, eventually, tick)
		kills := []struct{ broker, program bool }{{false, true}, {true, false}, {true, true}, {false, true}}[i]
		restart(kills.broker, kills.program)
		p.do("fault", testLock, "held", false)
		err = <-result
		require.True(t, err == nil || errors.Is(err, device.ErrOffline) || errors.Is(err, device.ErrUnconfirmed), "%v", err)
		reach(t, c, s)
	}
	require.Equal(t, append(slices.Clone(desired[:3]), foreign), p.occupied())
}

// A command that the broker and Zigbee2MQTT did not carry out must not be carried out after they return.
func TestDo_BrokerAndZigbee2MQTTKilled_CommandIsNotRepeated(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	p.provider.times.answer = 2 * time.Second
	p.do("fault", testLock, "held", true)
	sent := call[int](p, "sent", testLock)
	result := make(chan device.Outcome, 1)
	go func() {
		outcome, _ := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
		result <- outcome
	}()
	require.Eventually(t, func() bool { return call[int](p, "sent", testLock) > sent }, eventually, tick)
	p.kill()
	p.stop()
	p.start()
	p.run()
	require.False(t, (<-result).Confirmed)
	require.Eventually(t, func() bool { return find(t, c, testLock).State.Locked.Is(true) }, eventually, tick)
	require.Zero(t, call[int](p, "sent", testLock), "commands since the program was started again")
	require.True(t, call[bool](p, "locked", testLock))
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
	require.False(t, call[bool](p, "locked", testLock))
}

// Zigbee2MQTT publishes its devices only when it starts, so a broker that keeps no messages on disk forgets them.
func TestConn_BrokerForgetsTheDevicesOfZigbee2MQTT_CommandsWorkAndTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	p.keep = false
	p.stop()
	p.start()
	p.request("health_check", map[string]any{}) // the program has connected again
	require.Empty(t, p.stored("bridge/devices"))
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.listening && c.wire.up()
	}, eventually, tick)
	outcome, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)

	another := p.newProvider()
	account := device.Account{ID: c.coordinator, Secret: c.settings.secret()}
	for another.times.sync = 100 * time.Millisecond; ; another.times.sync *= 2 { // the machine may be slow
		_, err = another.Open(t.Context(), account)
		require.ErrorIs(t, err, device.ErrOffline)
		if errors.Is(err, errForgotten) {
			break
		}
	}
	require.Eventually(t, func() bool {
		another.times.sync *= 2
		pane, err := another.Connect(t.Context(), answers(p.answers))
		return err == nil && pane.Form != nil && strings.Contains(pane.Form.Message, "Restart Zigbee2MQTT")
	}, eventually, tick)

	p.kill()
	p.run()
	again, err := p.provider.Open(t.Context(), account)
	require.NoError(t, err)
	require.NoError(t, again.Close())
	require.Len(t, slices.Collect(maps.Keys(c.things)), testDevices)
	_, err = c.inventory(t.Context())
	require.NoError(t, err)
}
