// Package devicetest contains the conformance tests for drivers, the implementations of [device.Provider]. Each check is
// named after a guarantee of the contract. A driver runs them as follows:
//
//	func TestDriver(t *testing.T) {
//		devicetest.Run(t, devicetest.Target{New: func(tb testing.TB) devicetest.World { ... }, Complete: true})
//	}
//
// The suite sees devices only through the driver. Faults are caused by hooks, which the author of the driver writes for
// a test environment: a simulation, a server with a mock radio, or real devices on a desk. A check whose hooks are
// missing is skipped, and its message names the hook; with [Target.Complete] it fails.
//
// Files:
//
//	target.go     Target, World and Hooks
//	run.go        Run, and the list of checks
//	suite.go      helpers of the checks
//	connect.go    connecting an account
//	inventory.go  Devices
//	commands.go   Do
//	context.go    contexts that end, and calls at the same time
//	codes.go      Codes, SetCode and ClearCode
//	codefaults.go rejections, silence, stale reads and unreadable PINs
//	watch.go      Watch
//	losses.go     lost connections and accounts, and Close
//	secrets.go    secrets in errors, events and logs
package devicetest
