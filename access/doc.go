// Package access connects customers' accounts at providers of devices, keeps an inventory of their devices and the states that
// these last reported, maps devices to spaces, carries out commands, and keeps access codes on locks for the time of a stay.
//
//	svc, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{provider}})
//	go svc.Run(ctx)
//	hotel := svc.Workspace(workspaceID).Customer("hotel-1")
//	pane, err := hotel.Connect(ctx, access.ConnectStep{Provider: "zigbee2mqtt"}) // until pane.Account is set
//	page, err := hotel.Devices(ctx, access.DeviceQuery{})
//	attempt, err := hotel.Do(ctx, deviceID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
//	attempt, err = hotel.Wait(ctx, attempt.ID)
//
// The devices of an account appear some time after Connect, when Run has read the inventory. Account.FirstSyncAt is zero until it
// has read the whole inventory for the first time.
//
// # Terms
//
//   - An account is a customer's login, hub or server at a provider. Its secret is sealed (encrypted) in the store.
//   - A scope is a workspace, or one of its customers. All methods for accounts and devices are methods of [Scope].
//   - A device is mapped to spaces. A shared device is an entrance: every access grant in the site of its space opens it.
//   - An action attempt is a command to a device, and its result.
//   - An activity is something that happened to a device.
//   - An access code is the PIN of an access grant or a staff member, its subject, on one lock.
//   - A removal is an access code that must be removed from its device.
//   - A holder serves an account at a provider, while its process has the lease of this account. A session of a holder is the
//     connection to the account of one customer: two customers can connect the same hub.
//
// # Several processes
//
// Any process can accept a command: it stores the action attempt. Only the holder of the account sends it, so each device has one
// writer. The holder reads its lease and the attempt in the transaction that records that the command is being sent, and gives the
// call of the driver a deadline that ends before the lease. A command is therefore sent at most once, and never by a process that
// lost its lease. If a holder stops while a device executes a command, the next holder waits until the call has ended, reads the
// state of the device, and reports the result as not confirmed.
//
// # Access codes
//
// The planner decides which codes exist: one for each access grant that has not ended and each lock of its spaces, with the window in
// which it is needed and its PIN. It runs after changes of access grants, staff members and spaces, which it reads from the change feed, and after changes of mappings and rules.
// The program of a lock compares the codes with what the lock shows, writes or clears one slot, reads it back and compares again. It
// runs when a code is due, when its lock or its account returns, and when the lock reports a change. Both can stop at any point and
// continue with what is stored. A slot is stored before it is written, and belongs to its code until the lock has shown that it
// does not hold the code any more. Slots that the library did not write are never changed.
//
// If the access ends, the transaction that ends it turns the code into a removal, which remains until the lock has confirmed it.
//
// Files, in reading order:
//
//	service.go    Options, Service and Scope
//	errors.go     errors
//	account.go    accounts
//	connect.go    connecting an account in steps
//	device.go     devices
//	state.go      which states are stored, and when
//	position.go   cursors of lists
//	mapping.go    mappings of devices to spaces
//	suggest.go    mappings that the names suggest
//	attempt.go    commands as action attempts
//	attempt_row.go rows of action attempts
//	attempt_list.go lists of action attempts
//	activity.go   activities
//	rules.go      the rules for access codes
//	code.go       access codes
//	code_list.go  lists of access codes
//	removal.go    pending removals
//	attention.go  accounts, devices, access codes and removals that need attention
//	attention_codes.go access codes that need attention
//	attention_read.go reading a page of them
//	attention_notify.go calling OnAttention
//	attention_position.go cursors of these pages
//	export.go     all data of a customer
//	seal.go       sealed values by key slot, and sealing them again
//	run.go        Run: finding accounts, and leases
//	queue.go      the queue of action attempts, and their results
//	deadline.go   the deadlines of action attempts
//	holder.go     the holder of an account
//	session.go    connections
//	driver.go     calls of drivers
//	redact.go     errors without secrets
//	events.go     collecting the events of a connection
//	inventory.go  storing the inventory, states and operations
//	operated.go   the access codes that were used at locks
//	execute.go    sending commands
//	expect.go     events that commands cause
//	planner.go    planning access codes after changes
//	plan_codes.go the codes of access grants and staff members
//	plan_subject.go what is known about one of them
//	plan_pin.go   their PINs
//	reissue.go    another PIN on request
//	revoke.go     an access grant whose PIN was taken away
//	push_grant.go an access grant with its codes in one transaction
//	doors.go      the locks that an access grant opens, and when
//	due.go        finding the locks that must be programmed
//	lock.go       everything that is stored about the codes of one lock
//	program.go    programming a lock, step by step
//	program_store.go storing what the lock has shown
//	program_fail.go storing why a code is not as it should be
//	breaker.go    pauses after failures
//	climate.go    thermostats at the start and the end of a stay
//	automation.go the log of automatic changes
//	maintain.go   hourly maintenance
//	repair.go     action attempts with damaged rows
package access
