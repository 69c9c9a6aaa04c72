package devicetest

import (
	"testing"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// Target is a driver to test.
type Target struct {
	// New prepares a World for one check, and releases it with tb.Cleanup. It may return the same environment for each
	// check after it ended all faults; then Parallel must be false.
	New func(tb testing.TB) World

	// Complete makes checks fail whose hooks are missing. Set it in CI.
	Complete bool

	// Missing names the hooks and fields of World that the environment cannot provide, for example "Hooks.Stale". Their
	// checks are skipped even with Complete.
	Missing []string

	// Parallel runs the checks in parallel, each in its own World.
	Parallel bool

	// Wait is the longest time to wait for something that should happen soon. The default is one minute.
	Wait time.Duration
}

// World is an environment for one check: an account with devices.
type World struct {
	// Provider is the driver. Its logger, if it has one, must be set to the debug level and write to Logs.
	Provider device.Provider

	// Answers contains the answers to the forms of Connect, in their order, that lead to the account. The check fails if
	// Connect redirects.
	Answers []map[string]string

	// WrongAnswers contains answers to the first form that the provider refuses, for example a wrong password.
	WrongAnswers map[string]string

	// Account is the account to open. If its ID is empty, the suite connects it with Answers.
	Account device.Account

	// Lock is the id of a lock with access codes and at least four slots that the suite may write. Thermostat is the id
	// of a thermostat. ScheduledLock is the id of a lock with a native schedule. If Lock or Thermostat is empty, its
	// checks are skipped, or fail with Complete. If ScheduledLock is empty, its checks are skipped even with Complete.
	Lock          string
	Thermostat    string
	ScheduledLock string

	// Slots lists at least four slots that the suite may write. The default is 1 to 4.
	Slots []int

	// Logs returns everything that the driver logged since New.
	Logs func() string

	// SilentRejections means that devices of this provider do not report that they refused a code, so that the driver
	// can only return [device.ErrUnconfirmed].
	SilentRejections bool

	Hooks Hooks
}

// Hooks cause events in a [World]. id is World.Lock or World.Thermostat. A hook returns when the fault is in effect. A
// hook that the environment cannot provide is nil.
type Hooks struct {
	// Offline disconnects a device from its provider, and connects it again. The provider notices.
	Offline func(id string, offline bool)

	// Hold makes a device so slow that it answers nothing until release is called. The suite calls release once.
	Hold func(id string) (release func())

	// Deaf makes a device ignore commands without an answer, although it seems to be online. It may still answer reads.
	Deaf func(id string, deaf bool)

	// Mute lets a device carry out commands, but loses all its answers and reports.
	Mute func(id string, mute bool)

	// Stale makes the provider, and everything that the driver can read, show the state and the codes of the device as
	// they are at this moment, while answers to commands still arrive.
	Stale func(id string, stale bool)

	// Full makes a lock refuse another code, for example because it already stores the greatest possible number of
	// codes, all in slots outside World.Slots.
	Full func(id string)

	// HidePINs makes a lock hide the PINs of its codes.
	HidePINs func(id string)

	// WriteCode changes a slot without the driver, as somebody at the lock would. The state is SlotKnown, SlotDisabled
	// or SlotEmpty.
	WriteCode func(id string, s device.Slot)

	// ReadCodes returns the true slots of a lock without the driver, with PINs, also while it is stale or hides them.
	ReadCodes func(id string) []device.Slot

	// Operate locks or unlocks a lock without the driver.
	Operate func(id string, o device.Operation)

	// Commands returns how many commands (Do, SetCode, ClearCode) of the driver were sent to the device so far,
	// including those that it ignored. Reads do not count.
	Commands func(id string) int

	// Outage makes the provider unreachable, and reachable again.
	Outage func(outage bool)

	// FailInventory makes the provider fail in the middle of the next inventory.
	FailInventory func()

	// Revoke makes the provider refuse the account until it is connected again.
	Revoke func()
}
