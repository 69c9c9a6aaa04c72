// Package simulated contains a driver without real devices, for tests and demos. A [World] holds accounts with locks,
// thermostats and sensors in memory. [World.Provider] returns a driver for it. Several drivers can share one world, like
// several processes that control the same locks.
//
//	world := simulated.New(simulated.Options{Seed: 1})
//	world.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
//	world.AddDevice("anna", simulated.Lock("lock-101", "Room 101"))
//	provider := world.Provider("test")
//
// The methods of World play the part of everything that is not the driver: the people at the door, the radio, the
// company that runs the service. A test causes a fault with [World.SetFaults], for example, and compares the slots of a
// lock with [World.Slots]. [World.Calls] and [World.Conflicts] tell what the drivers did.
//
// Nothing happens on its own. [World.Step] lets time pass: with [Options.Life] batteries drain, doors open and rooms
// warm up, and with [World.SetChances] faults begin and end at random. What happens depends only on the seed, the
// clock, and the order of the calls to each device. All methods may be called concurrently.
//
// Files:
//
//	world.go     World, logins and devices
//	devices.go   typical devices
//	faults.go    faults of a device, an account or the provider
//	people.go    people who operate locks and change codes
//	life.go      Step and Run
//	calls.go     record of calls, and conflicts between them
//	provider.go  the driver: connecting an account
//	conn.go      the driver: inventory and commands
//	codes.go     the driver: access codes
//	watch.go     the driver: events
package simulated
