package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/device/zigbee2mqtt"
	"github.com/customerportal-go/customerportal/device/zwavejs"
)

// drivers are the device drivers that -drivers can name. A new driver needs one entry.
var drivers = []driver{
	{name: "simulated", open: func(driverOptions) (device.Provider, func(context.Context), error) {
		provider, work := openSimulated()
		return provider, work, nil
	}},
	{name: zigbee2mqtt.Key, open: openZigbee2MQTT},
	{name: zwavejs.Key, open: openZWaveJS},
}

// driver is a driver of devices. open returns its provider, and a function that does its background work until its context is
// done, or nil if it needs no background work. It does no I/O, and returns an error if the options break a rule.
type driver struct {
	name string
	open func(driverOptions) (device.Provider, func(context.Context), error)
}

// driverOptions are the options of all drivers.
type driverOptions struct {
	allowHosts []string // to which customers may connect
	log        *slog.Logger
}

// parseAllowHosts returns the hosts in a value of -allow-hosts, which is a comma-separated list.
func parseAllowHosts(value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	var hosts []string
	for host := range strings.SplitSeq(value, ",") {
		hosts = append(hosts, strings.TrimSpace(host))
	}
	if _, err := zigbee2mqtt.New(zigbee2mqtt.Options{AllowedHosts: hosts}); err != nil {
		return nil, fmt.Errorf("-allow-hosts: %w", err)
	}
	return hosts, nil
}

func openZigbee2MQTT(o driverOptions) (device.Provider, func(context.Context), error) {
	provider, err := zigbee2mqtt.New(zigbee2mqtt.Options{AllowedHosts: o.allowHosts, Logger: o.log})
	return provider, nil, err
}

func openZWaveJS(o driverOptions) (device.Provider, func(context.Context), error) {
	provider, err := zwavejs.New(zwavejs.Options{AllowedHosts: o.allowHosts, Logger: o.log})
	return provider, nil, err
}

// parseDrivers returns the drivers in a value of -drivers, which is a comma-separated list of known names. An empty value names
// no driver.
func parseDrivers(value string, known []driver) ([]driver, error) {
	if value == "" {
		return nil, nil
	}
	var chosen []driver
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		named := func(d driver) bool { return d.name == name }
		i := slices.IndexFunc(known, named)
		switch {
		case i < 0:
			return nil, fmt.Errorf("-drivers: unknown driver %q; known are %s", name, strings.Join(driverNames(known), ", "))
		case slices.ContainsFunc(chosen, named):
			return nil, fmt.Errorf("-drivers names %q twice", name)
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}

func driverNames(of []driver) []string {
	names := make([]string, len(of))
	for i, d := range of {
		names[i] = d.name
	}
	return names
}

// openDrivers opens the drivers and starts their background work. stop ends this work and waits until it has ended.
func openDrivers(ctx context.Context, chosen []driver, o driverOptions) (providers []device.Provider, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	for _, d := range chosen {
		provider, work, err := d.open(o)
		if err != nil {
			cancel()
			working.Wait()
			return nil, nil, fmt.Errorf("driver %s: %w", d.name, err)
		}
		providers = append(providers, provider)
		if work != nil {
			working.Go(func() { work(ctx) })
		}
	}
	return providers, func() {
		cancel()
		working.Wait()
	}, nil
}

// The login of the simulated devices.
const (
	simulatedUser     = "demo"
	simulatedPassword = "demo"
	offlineLock       = "lock-104"
)

// openSimulated returns simulated devices, which change by themselves. The seed is always the same, so that accounts in a durable
// store are still valid after a restart.
func openSimulated() (device.Provider, func(context.Context)) {
	world := simulated.New(simulated.Options{Seed: 1, Life: true})
	world.AddLogin(simulated.Login{User: simulatedUser, Password: simulatedPassword})
	for _, d := range []device.Device{
		simulated.Lock("front-door", "Front door"),
		simulated.Lock("lock-101", "Room 101"), simulated.Lock("lock-102", "Room 102"), simulated.Lock("lock-103", "Room 103"),
		simulated.Lock(offlineLock, "Room 104"),
		simulated.Thermostat("thermostat-101", "Thermostat 101"),
		simulated.ContactSensor("window-101", "Window 101"),
		simulated.LeakSensor("leak-102", "Leak sensor 102"),
		simulated.NoiseSensor("noise-103", "Noise sensor 103"),
	} {
		world.AddDevice(simulatedUser, d)
	}
	world.SetFaults(offlineLock, simulated.Faults{Offline: true})          // to try what happens then
	for slot, name := range map[int]string{19: "Owner", 20: "Neighbour"} { // codes that people have written at the front door
		world.WriteCode("front-door", device.Slot{Index: slot, State: device.SlotKnown, PIN: device.NewSecret(fmt.Sprint(405170 + slot)), Name: name})
	}
	return world.Provider("customerportal"), func(ctx context.Context) {
		_ = world.Run(ctx, 10*time.Second) // it returns only the error of ctx
	}
}
