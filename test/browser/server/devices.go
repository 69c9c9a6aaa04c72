package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

// The logins of the simulated hubs. The first is connected to the hotel; the tests connect the second through the pages. The names of
// three of its devices are those of rooms.
const (
	hubUser       = "demo"
	hubPassword   = "demo"
	annexUser     = "annex"
	annexPassword = "open sesame"
)

var annexDevices = []device.Device{
	simulated.Lock("lock-204", "Room 204"), simulated.Lock("lock-205", "Room 205"), simulated.Thermostat("heat-206", "Heating of room 206"),
	simulated.Lock("side", "Side entrance"),
}

// deviceSpaces are the simulated devices of the hotel in the preview, and the spaces to which they are mapped.
var deviceSpaces = []struct {
	device device.Device
	space  string
}{
	{simulated.Lock("lock-01", "Chiado 01"), "chiado-01"}, {simulated.Thermostat("heat-01", "Heating Chiado 01"), "chiado-01"},
	{simulated.Lock("lock-02", "Chiado 02"), "chiado-02"}, {simulated.Lock("lock-03", "Chiado 03"), "chiado-03"},
	{simulated.Lock("lock-ribeira", "Ribeira 01"), "ribeira-01"}, {simulated.Lock("front", "Front door Chiado"), "chiado"},
	{simulated.NoiseSensor("noise-03", "Noise Chiado 03"), "chiado-03"}, {simulated.Lock("spare", "Spare lock"), ""},
}

// devices are the simulated devices of the server.
type devices struct {
	world *simulated.World
	svc   *access.Service

	mu   sync.Mutex
	held map[string]func() // ends the hold of a device
}

func newDevices(db *data.DB, ring *keys.Ring, now func() time.Time) (*devices, error) {
	d := &devices{world: simulated.New(simulated.Options{Now: now}), held: map[string]func(){}}
	d.world.AddLogin(simulated.Login{User: hubUser, Password: hubPassword})
	for _, s := range deviceSpaces {
		d.world.AddDevice(hubUser, s.device)
	}
	d.world.AddLogin(simulated.Login{User: annexUser, Password: annexPassword})
	for _, s := range annexDevices {
		d.world.AddDevice(annexUser, s)
	}
	d.world.SetFaults("lock-ribeira", simulated.Faults{Offline: true})
	d.world.SetState("lock-03", func(s *device.State) { s.Battery = device.Known(0.1) })
	var err error
	d.svc, err = access.New(db, access.Options{
		Keys: ring, Providers: []device.Provider{d.world.Provider("server")}, Lease: 10 * time.Minute, CallTimeout: 4 * time.Minute, // also on a slow machine
	})
	return d, err
}

// connect connects the hub to the hotel of the preview and maps its devices. The service must run.
func (d *devices) connect(ctx context.Context) error {
	scope := d.svc.Workspace(preview.WorkspaceID(portal.VerticalHospitality)).Customer(preview.Customer(portal.VerticalHospitality))
	if _, err := scope.Connect(ctx, access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret(hubUser), "password": device.NewSecret(hubPassword),
	}}); err != nil {
		return err
	}
	for {
		page, err := scope.Devices(ctx, access.DeviceQuery{})
		if err != nil {
			return err
		}
		if len(page.Items) == len(deviceSpaces) {
			_, err := scope.Map(ctx, d.mappings(page.Items)...)
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *devices) mappings(listed []access.Device) (out []access.DeviceMapping) {
	ids := map[string]uuid.UUID{}
	for _, l := range listed {
		ids[l.ExternalID] = l.ID
	}
	for _, s := range deviceSpaces {
		if s.space != "" {
			out = append(out, access.DeviceMapping{DeviceID: ids[s.device.ID], Mapping: access.Mapping{SpaceKey: s.space}})
		}
	}
	return out
}

// serve serves requests of tests: "state" returns the state of a device in the world, and "hold" and "release" stop and continue its
// work.
func (d *devices) serve(r *http.Request) (any, error) {
	if d == nil {
		return nil, errors.New("the server was started without -devices")
	}
	id := r.URL.Query().Get("device")
	switch action := r.URL.Query().Get("do"); action {
	case "state":
	case "hold":
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held[id] = d.world.Hold(id)
	case "release":
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held[id]()
		delete(d.held, id)
	default:
		return nil, fmt.Errorf("unknown action %q", action)
	}
	return d.world.Device(id).State, nil
}
