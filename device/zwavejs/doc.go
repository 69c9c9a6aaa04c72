// Package zwavejs is the driver for the Z-Wave locks, thermostats and sensors of a Z-Wave JS server: of Home Assistant's add-on, of
// Z-Wave JS UI, or of @zwave-js/server alone.
//
//	provider, err := zwavejs.New(zwavejs.Options{AllowedHosts: []string{"192.0.2.7"}})
//
// An account is one Z-Wave network, identified by its home id. Its devices are identified by their node ids. If the server controls
// another network than that of the account, the account is lost ([device.ErrAccountLost]).
//
// # What counts as confirmed
//
// Z-Wave JS assumes that a device obeys a command that the device received, and reports the new value at once. The driver does not
// believe it. It confirms a command if the device confirmed it (Supervision), or if it showed the desired value when it was read
// afterwards. A code counts as set or cleared if Z-Wave JS read it back, or if the driver did. The server's access control does not tell an
// empty slot from a lock that did not answer, so slots of locks with User Code are read by this command class. For a lock with User
// Credential, the driver takes a slot for empty if the server knows no code in it and the lock answers another request.
//
// A node that Z-Wave JS takes for dead stays dead until it answers. The driver pings it before a command and every five minutes.
//
// Messages of errors of Z-Wave JS can contain PINs. The driver reads only their codes.
//
// # Bounds
//
// Messages of more than 32 MiB end the connection. Events of more than 4 MiB are ignored, and nodes with a larger state have no
// capabilities. A network has at most 20,000 nodes. The driver keeps at most 400 values of a node.
//
// Files, in reading order:
//
//	provider.go  Options, connecting and opening an account
//	settings.go  the settings of an account
//	link.go      a connection to the server, and its first requests
//	conn.go      the Conn: devices and their inventory
//	receive.go   events of the server
//	watch.go     events for the caller
//	node.go      decoding nodes
//	traits.go    capabilities and states of nodes
//	value.go     decoding values of any type
//	errors.go    errors of the server
//	do.go        Do
//	codes.go     access codes: limits and reading
//	setcode.go   setting and clearing access codes
//	slots.go     decoding access codes
package zwavejs
