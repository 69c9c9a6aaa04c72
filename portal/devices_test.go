package portal_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/portal"
)

func (r single) Device(ctx context.Context, id uuid.UUID) (d access.Device, related portal.Related, err error) {
	err = r.s.View(ctx, func(v *portal.View) error {
		d, related, err = v.Device(ctx, id)
		return err
	})
	return d, related, err
}

func (r single) Devices(ctx context.Context, q portal.DeviceQuery) (portal.Page[access.Device], error) {
	return viewed(ctx, r, func(v *portal.View) (portal.Page[access.Device], error) { return v.Devices(ctx, q) })
}

// accountOf returns the id of the account of addDevice.
func accountOf(customer string) uuid.UUID { return uuid.NewSHA1(workspaceID, []byte(customer)) }

// deviceOf returns the id of a device of addDevice.
func deviceOf(customer, name string) uuid.UUID { return devicedata.DeviceID(accountOf(customer), name) }

var lockOf101 = deviceOf("My Company", "lock")

// addDevice stores an offline lock with a low battery, and maps it to spaces. No process serves its account.
func (f *fixture) addDevice(t *testing.T, customer, name string, spaces ...string) uuid.UUID {
	t.Helper()
	id := deviceOf(customer, name)
	c, err := f.ws.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), f.ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		found, err := devicedata.FindAccounts(ctx, tx.Snapshot, accountOf(customer))
		if err != nil {
			return err
		}
		if found[0] == nil {
			a := devicedata.Account{ID: accountOf(customer), Provider: "hub", ExternalID: customer, Name: "Hub of " + customer, Details: []byte(`{"status": "connected"}`)}
			if err := devicedata.CreateAccount(ctx, tx, a); err != nil {
				return err
			}
		}
		details := fmt.Sprintf(`{"can": [%q, %q, %q]}`, device.CanLock, device.CanUnlock, device.ReportsBattery)
		if _, err := devicedata.PutDevices(ctx, tx, accountOf(customer), []devicedata.Device{{ExternalID: name, Name: name, Details: []byte(details)}}); err != nil {
			return err
		}
		state := `{"online": false, "locked": true, "battery_level": 0.1, "last_online": false, "low_battery_since": "2025-06-16T16:00:00Z"}`
		return devicedata.PutStates(ctx, tx, []devicedata.State{{DeviceID: id, At: start, Value: []byte(state)}})
	}))
	var mappings []access.DeviceMapping
	for _, key := range spaces {
		mappings = append(mappings, access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: key}})
	}
	_, err = f.portals.Access().Workspace(f.ws.ID()).Customer(customer).Map(t.Context(), mappings...)
	require.NoError(t, err)
	return id
}

// names returns the names of devices.
func names(devices []access.Device) (out []string) {
	for _, d := range devices {
		out = append(out, d.Name)
	}
	return out
}

// runAccess runs a service until stop is called.
func runAccess(t *testing.T, svc *access.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := svc.Run(ctx); err != context.Canceled {
			t.Errorf("Run: %v", err)
		}
	})
	return func() { cancel(); running.Wait() }
}
