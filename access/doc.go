// Package access connects customers' accounts at providers of devices, keeps an inventory of their devices and the states that
// these last reported, maps devices to spaces, and carries out commands.
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
//	removal.go    pending removals
//	attention.go  accounts, devices and removals that need attention
//	attention_read.go reading a page of them
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
//	maintain.go   hourly maintenance
//	repair.go     action attempts with damaged rows
package access
