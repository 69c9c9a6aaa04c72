// Package device defines the contract between this library and the drivers of device ecosystems: locks, thermostats and
// sensors. A driver imports only this package. A driver for real devices is a module of its own, so that a program
// contains only the drivers that it uses. Package simulated contains a driver without devices, for tests and demos, and
// package devicetest a conformance suite that every driver must pass.
//
// # Terms
//
// A provider is an ecosystem, for example zigbee2mqtt. An account is one customer's access to a provider: a login, a
// hub, a server. A device belongs to one account. A driver implements [Provider] for one ecosystem, and [Conn] for one
// connected account. A Conn whose devices have access codes also implements [Coder]. A code is a PIN in a numbered slot
// of a lock.
//
// # Rules for drivers
//
//   - A driver never guesses. A value that the device did not report is unknown ([Optional]), a code that cannot be
//     read is [SlotUnreadable], and a command that the device did not confirm is not reported as confirmed.
//   - A driver does not retry. It returns an error, if possible of one of the classes listed at [ErrOffline], and the
//     caller decides whether to try again. A call makes at most one attempt to change a device.
//   - A driver returns promptly when ctx ends, or when the Conn is closed, even if the device never answers. It then
//     returns an error that wraps ctx.Err() or [ErrClosed]. The command may still take effect.
//   - A read returns everything or an error. A partial list without an error would look like removed devices or codes.
//   - No error, log record, event or name contains a secret. PINs and account secrets are values of type [Secret].
//   - Texts from devices are untrusted. A driver passes names through [Label].
//
// # Rules for callers
//
//   - After any error except [ErrRejected], [ErrUnsupported], [ErrUnknownDevice] and [ErrInvalid], a command may have
//     taken effect or may take effect later. The caller reads the state or the codes before it decides.
//   - A caller sends at most one command at a time to a device.
//   - A caller gives every call except Watch a ctx with a deadline.
//   - A failed read says nothing about the device.
//
// # Files
//
//	provider.go     Provider, and connecting an account in steps
//	form.go         forms, and checking the answers
//	conn.go         Conn and Coder
//	device.go       Device and its capabilities
//	state.go        State
//	optional.go     Optional values
//	climate.go      climate settings and the limits of a thermostat
//	command.go      commands, and checking a command against a device
//	codes.go        slots of a lock, and its limits for codes
//	constraints.go  checking a PIN against the constraints of a lock
//	event.go        events of a Conn
//	errors.go       classes of errors
//	secret.go       Secret
package device
