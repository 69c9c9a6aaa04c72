package devicetest

import (
	"testing"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

func TestRun_SimulatedDevices_Passes(t *testing.T) {
	t.Parallel()
	Run(t, Target{New: simulatedWorld(nil), Complete: true, Parallel: true})
}

func TestRun_SimulatedDevicesWithHiddenPINs_Passes(t *testing.T) {
	t.Parallel()
	hidden := func(w *simulated.World) {
		w.ChangeDevice("lock", func(d *device.Device) { d.Codes.ReadsPIN = false })
	}
	Run(t, Target{New: simulatedWorld(hidden), Complete: true, Parallel: true})
}

// simulatedWorld returns a New with every hook. prepare may change the world.
func simulatedWorld(prepare func(*simulated.World)) func(testing.TB) World {
	return func(testing.TB) World {
		w := simulated.New(simulated.Options{Seed: 1})
		w.AddLogin(simulated.Login{User: "anna", Password: "correct horse", SecondFactor: "271828", AccountID: "account 1"})
		w.AddLogin(simulated.Login{User: "ben", Password: "battery staple"})
		w.AddDevice("anna", simulated.Lock("lock", "Front door"))
		w.AddDevice("anna", simulated.Thermostat("thermostat", "Living room"))
		scheduled := simulated.Lock("scheduled", "Back door")
		scheduled.Codes.NativeSchedule = true
		w.AddDevice("anna", scheduled)
		w.AddDevice("anna", simulated.ContactSensor("window", "Window"))
		w.AddDevice("ben", simulated.Lock("lock of ben", "Front door"))
		if prepare != nil {
			prepare(w)
		}
		return World{
			Provider: w.Provider("devicetest"),
			Answers: []map[string]string{
				{"username": "anna", "password": "correct horse"},
				{"code": "271828"},
			},
			WrongAnswers: map[string]string{"username": "anna", "password": "wrong horse"},
			Lock:         "lock", Thermostat: "thermostat", ScheduledLock: "scheduled",
			Hooks: simulatedHooks(w, "anna"),
		}
	}
}

func simulatedHooks(w *simulated.World, user string) Hooks {
	fault := func(change func(f *simulated.Faults, on bool)) func(string, bool) {
		return func(id string, on bool) {
			f := w.Faults(id)
			change(&f, on)
			w.SetFaults(id, f)
		}
	}
	full := fault(func(f *simulated.Faults, on bool) { f.Full = on })
	hide := fault(func(f *simulated.Faults, on bool) { f.HidesPINs = on })
	return Hooks{
		Offline:   fault(func(f *simulated.Faults, on bool) { f.Offline = on }),
		Hold:      w.Hold,
		Deaf:      fault(func(f *simulated.Faults, on bool) { f.Deaf = on }),
		Mute:      fault(func(f *simulated.Faults, on bool) { f.Mute, f.Stale = on, on }),
		Stale:     fault(func(f *simulated.Faults, on bool) { f.Stale = on }),
		Full:      func(id string) { full(id, true) },
		HidePINs:  func(id string) { hide(id, true) },
		WriteCode: w.WriteCode,
		ReadCodes: w.Slots,
		Operate:   w.Operate,
		Commands: func(id string) int {
			n := 0
			for _, c := range w.Calls() {
				if c.Device == id && (c.Method == "Do" || c.Method == "SetCode" || c.Method == "ClearCode") {
					n++
				}
			}
			return n
		},
		Outage:        func(outage bool) { w.SetOutage(user, outage) },
		FailInventory: func() { w.FailInventory(user, 1) },
		Revoke:        func() { w.Revoke(user) },
	}
}
