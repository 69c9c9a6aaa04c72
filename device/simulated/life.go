package simulated

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Chances are the probabilities of random faults, from 0 to 1. Unless all chances are 0, each Step draws the faults of
// every device and login anew: a fault lasts until the next Step, and faults set with [World.SetFaults] end.
type Chances struct {
	// The chances of the faults of a device, see [Faults]. HidesPINs does not change at random.
	Offline, Full, Deaf, Mute, Stale float64

	// ByHand is the chance that somebody operates a lock by hand, ForeignCode that somebody writes a code into an empty
	// slot of a lock, and LostCode that somebody clears a slot.
	ByHand, ForeignCode, LostCode float64

	// Slow is the chance that the calls of a device wait until the next Step, see [World.Hold].
	Slow float64

	// The chances of the faults of a login, see [World.SetOutage], [World.FailInventory] and [World.Revoke].
	Outage, FailInventory, Revoke float64
}

// SetChances sets the probabilities of random faults. The zero value, which is the default, ends random faults. If
// chances were set before, it immediately ends all current faults except HidesPINs.
func (w *World) SetChances(c Chances) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c == (Chances{}) && w.chances != c {
		w.drawFaults(c)
	}
	w.chances = c
}

// Run calls Step at the given interval until ctx ends, and returns ctx.Err().
func (w *World) Run(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.Step()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Step lets the time since the last Step pass, at most a day, and draws random faults.
func (w *World) Step() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.options.Now()
	passed := min(max(now.Sub(w.stepped), 0), 24*time.Hour)
	w.stepped = now
	if w.options.Life {
		for _, id := range w.order {
			w.live(w.devices[id], passed)
		}
	}
	if w.chances != (Chances{}) {
		w.drawFaults(w.chances)
	}
}

func happens(r *rand.Rand, chance float64) bool { return r.Float64() < chance }

func (w *World) drawFaults(c Chances) {
	for _, user := range slices.Sorted(maps.Keys(w.logins)) {
		l := w.logins[user]
		if outage := happens(w.random, c.Outage); outage != l.outage {
			w.setOutage(l, outage)
		}
		l.failAfter = -1
		if happens(w.random, c.FailInventory) {
			l.failAfter = w.random.IntN(3)
		}
		if happens(w.random, c.Revoke) {
			w.revoke(l)
		}
	}
	for _, id := range w.order {
		d := w.devices[id]
		r := d.random
		d.release()
		w.setFaults(d, Faults{
			Offline: happens(r, c.Offline), Full: happens(r, c.Full), Deaf: happens(r, c.Deaf), Mute: happens(r, c.Mute),
			Stale: happens(r, c.Stale), HidesPINs: d.faults.HidesPINs,
		})
		if happens(r, c.Slow) {
			d.held = make(chan struct{})
		}
		if d.info.State.Locked.IsKnown() && happens(r, c.ByHand) {
			w.operate(d, device.Operation{Locked: happens(r, 0.5), Method: device.MethodManual})
		}
		if len(d.slots) > 0 {
			w.drawCodes(d, c)
		}
	}
}

// drawCodes lets people change the codes of a lock at random.
func (w *World) drawCodes(d *simulatedDevice, c Chances) {
	foreign, lost := happens(d.random, c.ForeignCode), happens(d.random, c.LostCode)
	i := d.random.IntN(len(d.slots))
	switch {
	case foreign && !d.slots[i].Occupied():
		s := device.Slot{Index: i + 1, State: device.SlotKnown, PIN: device.NewSecret(fmt.Sprintf("%06d", d.random.IntN(1_000_000)))}
		if w.refuses(d, s) == nil {
			w.writeCode(d, s)
		}
	case lost && d.slots[i].Occupied():
		w.writeCode(d, device.Slot{Index: i + 1, State: device.SlotEmpty})
	}
}

// live lets time pass for a device: its battery lasts 200 days, somebody uses a door every two hours, and a room
// approaches the set point of its thermostat.
func (w *World) live(d *simulatedDevice, passed time.Duration) {
	s, r, hours := &d.info.State, d.random, passed.Hours()
	if level, known := s.Battery.Get(); known {
		s.Battery = device.Known(max(0, level-hours/(200*24)))
	}
	used := happens(r, 1-math.Exp(-hours/2))
	if locked, known := s.Locked.Get(); known && used {
		w.operate(d, device.Operation{Locked: !locked, Method: device.MethodManual})
	}
	if open, known := s.DoorOpen.Get(); known && used {
		// A locked door stays closed.
		s.DoorOpen = device.Known(!open && !s.Locked.Is(true))
	}
	if level, known := s.Noise.Get(); known {
		s.Noise = device.Known(min(max(level+(r.Float64()-0.5)*10*min(hours, 1), 25), 85))
	}
	if warmth, known := s.Temperature.Get(); known {
		w.liveClimate(d, warmth, hours)
	}
	w.report(d)
}

// liveClimate moves the temperature by up to 2 °C per hour to the set point, or to 16 °C if the thermostat is idle.
func (w *World) liveClimate(d *simulatedDevice, warmth, hours float64) {
	s := &d.info.State
	mode, _ := s.Mode.Get()
	target := 16.0
	heat, heats := s.HeatingSetPoint.Get()
	cool, cools := s.CoolingSetPoint.Get()
	heats = heats && (mode == device.HVACHeat || mode == device.HVACHeatCool)
	cools = cools && (mode == device.HVACCool || mode == device.HVACHeatCool)
	switch {
	case heats && warmth <= heat:
		target = heat
	case cools && warmth >= cool:
		target = cool
	}
	step := 2 * hours
	warmth += min(max(target-warmth, -step), step)
	s.Temperature = device.Known(warmth)
	s.Heating, s.Cooling = device.Known(heats && warmth < heat), device.Known(cools && warmth > cool)
}
