package zigbee2mqtt

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

// slotOf returns a slot with a PIN.
func slotOf(index int, pin string) device.Slot {
	return device.Slot{Index: index, State: device.SlotKnown, PIN: device.NewSecret(pin)}
}

// occupied returns the occupied slots of the lock, as the lock has them.
func (p *program) occupied() []device.Slot {
	return slices.DeleteFunc(p.readCodes(testLock), func(s device.Slot) bool { return !s.Occupied() })
}

func TestCodes_Zigbee2MQTT_AreSetReadAndCleared(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	first, foreign := slotOf(1, "0012345"), slotOf(3, "998877")
	p.writeCode(testLock, foreign)
	require.NoError(t, c.SetCode(t.Context(), testLock, first))
	require.Equal(t, []device.Slot{first, foreign}, p.occupied())
	slots, err := c.Codes(t.Context(), testLock, 1, 2, 3)
	require.NoError(t, err)
	require.Equal(t, []device.Slot{first, {Index: 2, State: device.SlotEmpty}, foreign}, slots)

	// The lock refuses these codes without a message.
	err = c.SetCode(t.Context(), testLock, slotOf(2, "0012345"))
	require.Equal(t, &device.RejectedError{Reason: device.RejectedDuplicate, Slot: 1}, err)
	p.do("fault", testLock, "full", true)
	require.ErrorIs(t, c.SetCode(t.Context(), testLock, slotOf(2, "5550001")), device.ErrUnconfirmed)
	p.do("fault", testLock, "full", false)
	require.Equal(t, []device.Slot{first, foreign}, p.occupied())

	// A code for an offline lock is not sent, and is not carried out later.
	p.setOffline(testLock, true)
	sent := call[int](p, "sent", testLock)
	require.ErrorIs(t, c.SetCode(t.Context(), testLock, slotOf(2, "5550001")), device.ErrOffline)
	require.ErrorIs(t, c.ClearCode(t.Context(), testLock, 1), device.ErrOffline)
	p.setOffline(testLock, false)
	require.Equal(t, sent, call[int](p, "sent", testLock))
	require.NoError(t, c.SetCode(t.Context(), testLock, slotOf(2, "5550001")))
	require.Equal(t, []device.Slot{first, slotOf(2, "5550001"), foreign}, p.occupied())

	require.NoError(t, c.ClearCode(t.Context(), testLock, 1))
	require.NoError(t, c.ClearCode(t.Context(), testLock, 2))
	require.Equal(t, []device.Slot{foreign}, p.occupied())
}

func TestWatch_KeypadOfZigbee2MQTTLock_IsReported(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	code := slotOf(4, "271828")
	require.NoError(t, c.SetCode(t.Context(), testLock, code))
	events := watching(t, c)
	expect := func(what string, matches func(device.Event) bool) {
		require.Eventually(t, func() bool { return slices.ContainsFunc(events(), matches) }, eventually, tick, what)
	}
	p.operate(testLock, device.Operation{Method: device.MethodKeypad, Slot: device.Known(4)})
	expect("the use of the code", func(e device.Event) bool {
		return e.Kind == device.Operated && e.DeviceID == testLock && e.Operation == device.Operation{Method: device.MethodKeypad, Slot: device.Known(4)}
	})

	p.do("code", testLock, map[string]any{"slot": 4, "status": zigbeeEnabled, "pin": "314159", "notify": true})
	expect("the change at the keypad", func(e device.Event) bool { return e.Kind == device.CodesChanged && e.DeviceID == testLock })
	slots, err := c.Codes(t.Context(), testLock, 4)
	require.NoError(t, err)
	require.Equal(t, []device.Slot{slotOf(4, "314159")}, slots)
	require.NoError(t, c.SetCode(t.Context(), testLock, code))
	require.Equal(t, []device.Slot{code}, p.occupied())
}

// Zigbee2MQTT accepts the numbers 0 to 19 for the slots of this lock. 0 is not used.
func TestCodes_Zigbee2MQTTLockWith19Slots_ReturnsThem(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.provider.slots = DefaultSlots
	c := p.open(t)
	require.Equal(t, 20, find(t, c, testDanalock).Codes.Slots)
	slots, err := c.Codes(t.Context(), testDanalock)
	require.NoError(t, err)
	require.Len(t, slots, 19)
	require.Equal(t, 19, find(t, c, testDanalock).Codes.Slots)
	require.ErrorIs(t, c.SetCode(t.Context(), testDanalock, slotOf(20, "271828")), device.ErrInvalid)
}

func TestDevices_Zigbee2MQTTSensors_ReportTheirStates(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	for id, shows := range map[string]func(device.State, bool) bool{
		testContact: func(s device.State, alarm bool) bool { return s.DoorOpen.Is(alarm) },
		testMotion:  func(s device.State, alarm bool) bool { return s.Occupied.Is(alarm) },
		testLeak:    func(s device.State, alarm bool) bool { return s.Leak.Is(alarm) },
		testSmoke:   func(s device.State, alarm bool) bool { return s.Smoke.Is(alarm) },
	} {
		for bit, alarm := range []bool{false, true} {
			p.do("zone", id, bit)
			require.Eventually(t, func() bool { return shows(find(t, c, id).State, alarm) }, eventually, tick, "%s: %v", id, alarm)
		}
	}
	p.do("climate", testClimate, 21.5, 48)
	p.do("battery", testClimate, 60)
	p.do("battery", testLock, 40)
	require.Eventually(t, func() bool {
		s := find(t, c, testClimate).State
		return s.Temperature.Is(21.5) && s.Humidity.Is(0.48) && s.Battery.Is(0.6) && find(t, c, testLock).State.Battery.Is(0.4)
	}, eventually, tick)
	outcome, err := c.Do(t.Context(), testThermostat, device.Command{Kind: device.SetClimate, Climate: device.Climate{
		Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(23.5),
	}})
	require.NoError(t, err)
	require.True(t, outcome.Confirmed)
	require.True(t, find(t, c, testThermostat).State.HeatingSetPoint.Is(23.5))

	// Some seconds after its start, the program also announces its devices with Home Assistant's discovery.
	require.Eventually(t, func() bool {
		announced := map[string]bool{}
		for topic := range p.current().Topics.Retained.GetAll() {
			if levels := strings.Split(topic, "/"); levels[0] == discoveryPrefix {
				announced[levels[2]] = true
			}
		}
		return len(announced) > testDevices
	}, eventually, tick)
	p.mark()
	var ids []string
	for d, err := range c.Devices(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, d.ID)
	}
	require.Len(t, ids, testDevices, "each device once: %v", ids)
}

func TestSetCode_OtherLockOfZigbee2MQTTIsSlow_IsNotDelayed(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	c := p.open(t)
	p.do("fault", testLock, "held", true)
	sent := call[int](p, "sent", testLock)
	slow := make(chan error, 1)
	go func() {
		_, err := c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
		slow <- err
	}()
	require.Eventually(t, func() bool { return call[int](p, "sent", testLock) > sent }, eventually, tick)
	require.NoError(t, c.SetCode(t.Context(), testGarage, slotOf(1, "271828")))
	require.Empty(t, slow, "the slow lock has not answered")
	p.do("fault", testLock, "held", false)
	require.NoError(t, <-slow)
}
