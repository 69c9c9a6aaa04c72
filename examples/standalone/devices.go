package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

// The logins at the simulated provider. The devices of hotelUser are in the rooms of the sample hotel group, and the demo connects
// them. Nobody has connected the devices of visitorUser yet.
const (
	hotelUser   = "atlantic-hotels"
	visitorUser = "demo"
	password    = "demo"
)

// One lock of the sample hotel group is offline, and the battery of another is low.
const (
	offlineRoom    = "lisbon-107"
	lowBatteryRoom = "lisbon-203"
	lowBattery     = 0.12
)

// lifeInterval is the time between two changes of the simulated devices.
const lifeInterval = 10 * time.Second

// newWorld returns the simulated devices of the sample hotel group: a lock, a thermostat and a window sensor in every room. They
// are the same in every run, so that an account that an earlier run connected is still valid.
func newWorld(group data.CustomerData) *simulated.World {
	world := simulated.New(simulated.Options{Seed: 1, Life: true})
	world.AddLogin(simulated.Login{User: hotelUser, Password: password})
	world.AddLogin(simulated.Login{User: visitorUser, Password: password})
	for _, space := range group.Spaces {
		switch space.Kind {
		case data.KindRoom:
			world.AddDevice(hotelUser, simulated.Lock(deviceID("lock", space.Key), space.Name+" lock"))
			world.AddDevice(hotelUser, simulated.Thermostat(deviceID("thermostat", space.Key), space.Name+" thermostat"))
			world.AddDevice(hotelUser, simulated.ContactSensor(deviceID("window", space.Key), space.Name+" window"))
		case data.KindSite:
			world.AddDevice(visitorUser, simulated.Lock(deviceID("entrance", space.Key), "Entrance "+space.Name))
		}
	}
	world.SetFaults(deviceID("lock", offlineRoom), simulated.Faults{Offline: true})
	world.SetState(deviceID("lock", lowBatteryRoom), func(s *device.State) { s.Battery = device.Known(lowBattery) })
	return world
}

// deviceID returns the id of the device of a type in a space. spaceOf returns the space of an id.
func deviceID(typ, space string) string { return typ + ":" + space }

func spaceOf(id string) string {
	_, space, _ := strings.Cut(id, ":")
	return space
}

// connectHotel connects the simulated devices of the sample hotel group, unless an earlier run has, waits until their inventory
// has been read, and maps the devices that are in no room yet. Run must be running.
func (a *app) connectHotel(ctx context.Context, customer string) error {
	scope := a.Access.Workspace(a.ws.ID()).Customer(customer)
	account, err := hotelAccount(ctx, scope)
	if err != nil {
		return fmt.Errorf("connecting the simulated devices: %w", err)
	}
	if err := waitForInventory(ctx, scope, account); err != nil {
		return err
	}
	var mappings []access.DeviceMapping
	for query := (access.DeviceQuery{AccountID: account.ID, Unmapped: true}); ; {
		page, err := scope.Devices(ctx, query)
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			mappings = append(mappings, access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: spaceOf(d.ExternalID)}})
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			break
		}
	}
	_, err = scope.Map(ctx, mappings...)
	return err
}

// hotelAccount returns the account with the devices in the rooms. It connects the account if it does not exist.
func hotelAccount(ctx context.Context, scope *access.Scope) (access.Account, error) {
	accounts, err := scope.Accounts(ctx)
	if err != nil {
		return access.Account{}, err
	}
	if i := slices.IndexFunc(accounts, func(a access.Account) bool { return a.ExternalID == hotelUser }); i >= 0 {
		return accounts[i], nil
	}
	step := access.ConnectStep{Provider: simulated.Key}
	pane, err := scope.Connect(ctx, step)
	if err == nil {
		step.State = pane.State
		step.Answers = map[string]device.Secret{"username": device.NewSecret(hotelUser), "password": device.NewSecret(password)}
		pane, err = scope.Connect(ctx, step)
	}
	switch {
	case err != nil:
		return access.Account{}, err
	case pane.Account == nil:
		return access.Account{}, fmt.Errorf("the provider did not accept the login %q", hotelUser)
	}
	return *pane.Account, nil
}

// waitForInventory waits until all devices of an account have been read.
func waitForInventory(ctx context.Context, scope *access.Scope, account access.Account) (err error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for account.FirstSyncAt.IsZero() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if account, err = scope.Account(ctx, account.ID); err != nil {
			return err
		}
	}
	return nil
}
