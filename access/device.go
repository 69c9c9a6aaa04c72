package access

import (
	"bytes"
	"context"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/validation"
)

// Mapping is a space to which a device is mapped.
type Mapping struct {
	SpaceKey string `json:"space_key"`

	// Shared marks an entrance, such as a front door: every access grant in the site of the space opens the device too.
	Shared bool `json:"shared,omitempty"`
}

// Device is a device of a connected account, with the state that it last reported.
type Device struct {
	ID          uuid.UUID `json:"device_id"`
	CustomerKey string    `json:"customer_key"`
	AccountID   uuid.UUID `json:"connected_account_id"`
	ExternalID  string    `json:"external_id"` // the id in its account
	Name        string    `json:"name"`

	Provider      string        `json:"provider"`       // of its account
	AccountStatus AccountStatus `json:"account_status"` // the state of the device is old unless its account is connected

	Manufacturer string                `json:"manufacturer,omitempty"`
	Model        string                `json:"model,omitempty"`
	Serial       string                `json:"serial_number,omitempty"`
	Capabilities []device.Capability   `json:"capabilities"`
	Climate      *device.ClimateLimits `json:"climate,omitempty"` // of thermostats
	Codes        *device.CodeLimits    `json:"codes,omitempty"`   // of locks with access codes

	// State is the stored state, and StateAt the time at which the device reported it. StateAt is zero if the device has not
	// reported a state. A state is stored when it differs meaningfully from the stored one: the battery or the humidity by 0.01, the
	// temperature by 0.1 °C, the noise by 1 dB, another value at all. It is stored at most once a minute for each device, except that
	// changes of the lock and of the contact of a door are stored at once. If these change more than 30 times in 90 s, the last state
	// is stored every 3 s (and at most 1 s later).
	State   device.State `json:"state"`
	StateAt time.Time    `json:"state_at,omitzero"`

	// OnlineSince is the time since which the device has been online, or offline, according to State.Online. It is zero if that is
	// unknown. LowBatterySince is the time since which the charge of the battery has been low: from a report below 20 % until one of
	// at least 25 %. It is zero if the battery is not low.
	OnlineSince     time.Time `json:"online_since,omitzero"`
	LowBatterySince time.Time `json:"low_battery_since,omitzero"`

	// MissingSince is the time since which the account no longer lists the device, or zero. The device keeps its mappings, because
	// missing data does not end access. [Scope.DeleteDevice] deletes it.
	MissingSince time.Time `json:"missing_since,omitzero"`

	// Metadata and the climate presets are set by the host: see [Scope.UpdateDevice] and [Scope.SetClimatePreset].
	Metadata       data.CustomMetadata `json:"custom_metadata,omitempty"`
	ClimatePresets []ClimatePreset     `json:"climate_presets,omitempty"` // of a thermostat, by key
	FallbackPreset string              `json:"fallback_climate_preset_key,omitempty"`

	// UnmanagedCodes are the codes on a lock that this library did not write, or does not know any more, by slot, without their PINs. They
	// change only on request: see [Scope.ManageCode] and [Scope.DeleteUnmanagedCode].
	// The list is that of the last time at which the lock was read to program it, so it can be old.
	UnmanagedCodes []UnmanagedCode `json:"unmanaged_codes,omitempty"`

	Mappings  []Mapping `json:"mappings"`
	CreatedAt time.Time `json:"created_at"`
}

// Can reports whether the device has the capability.
func (d Device) Can(c device.Capability) bool { return d.driver().Can(c) }

// IsLock reports whether the device is a lock: a portal or an access code can lock or unlock it.
func (d Device) IsLock() bool {
	return d.Can(device.CanLock) || d.Can(device.CanUnlock) || d.Can(device.CanProgram)
}

// driver returns the device as its driver describes it.
func (d Device) driver() device.Device {
	return device.Device{
		ID: d.ExternalID, Name: d.Name, Manufacturer: d.Manufacturer, Model: d.Model, Serial: d.Serial,
		Capabilities: d.Capabilities, Climate: d.Climate, Codes: d.Codes, State: d.State, StateAt: d.StateAt,
	}
}

// Device returns a device of the scope. It returns [ErrDeviceNotFound].
func (c *Scope) Device(ctx context.Context, id uuid.UUID) (d Device, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, customer, err := c.findDevice(ctx, s, id)
		if err != nil {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		devices, err := withStates(ctx, s, customer, accounts, []*devicedata.Device{row})
		if err != nil {
			return err
		}
		d = devices[0]
		return nil
	})
	return d, err
}

// DevicesByID returns devices of the customer of the scope, with nil for each that does not exist. It returns a [validation.Error] for
// the scope of a workspace, and [data.ErrCustomerNotFound].
func (c *Scope) DevicesByID(ctx context.Context, ids ...uuid.UUID) (devices []*Device, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		devices = make([]*Device, len(ids))
		customer, err := c.customerIn(ctx, s)
		if err != nil || len(ids) == 0 {
			return err
		}
		accounts, err := accountsByID(ctx, s, customer)
		if err != nil {
			return err
		}
		rows, err := devicedata.DevicesByID(ctx, s, devicedata.IDOf(customer), ids...)
		if err != nil {
			return err
		}
		states, err := devicedata.States(ctx, s, devicedata.IDOf(customer), ids...)
		if err != nil {
			return err
		}
		for i, row := range rows {
			if row == nil {
				continue
			}
			d, err := newDevice(accounts[row.AccountID], row, states[i])
			if err != nil {
				return err
			}
			devices[i] = &d
		}
		return nil
	})
	return devices, err
}

func (c *Scope) findDevice(ctx context.Context, s *data.Snapshot, id uuid.UUID) (*devicedata.Device, data.Customer, error) {
	rows, err := devicedata.FindDevices(ctx, s, id)
	if err != nil {
		return nil, data.Customer{}, err
	}
	if rows[0] == nil {
		return nil, data.Customer{}, ErrDeviceNotFound
	}
	customer, err := c.owner(ctx, s, rows[0].Customer, ErrDeviceNotFound)
	return rows[0], customer, err
}

// withStates returns devices of one customer with their states and accounts.
func withStates(ctx context.Context, s *data.Snapshot, customer data.Customer, accounts map[uuid.UUID]Account, rows []*devicedata.Device) ([]Device, error) {
	if len(rows) == 0 {
		return []Device{}, nil
	}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	states, err := devicedata.States(ctx, s, devicedata.IDOf(customer), ids...)
	if err != nil {
		return nil, err
	}
	devices := make([]Device, len(rows))
	for i, row := range rows {
		if devices[i], err = newDevice(accounts[row.AccountID], row, states[i]); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

// accountsByID returns the accounts of a customer.
func accountsByID(ctx context.Context, s *data.Snapshot, customer data.Customer) (map[uuid.UUID]Account, error) {
	accounts, err := accountsOf(ctx, s, customer)
	return accountMap(accounts), err
}

// accountMap returns accounts by their ids.
func accountMap(accounts []Account) map[uuid.UUID]Account {
	return lo.KeyBy(accounts, func(a Account) uuid.UUID { return a.ID })
}

// DeviceQuery selects devices. A device is listed only if it passes all filters that are set.
type DeviceQuery struct {
	AccountID  uuid.UUID         // selects the devices of that account
	SpaceKey   string            // selects the devices that are mapped to that space
	Capability device.Capability // selects the devices that have it
	Unmapped   bool              // selects the devices that are mapped to no space

	// Keep, if it is not nil, reports whether a device that has passed the filters above is listed. State, Provider and AccountStatus of
	// the device are not set.
	Keep func(Device) bool

	Limit  int    // maximum number of devices in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page of the same query; empty selects the first page
}

// maxScan is the maximum number of devices that a page reads.
const maxScan = 10_000

// Devices returns a page of the devices of the scope: customer by customer in the order of their keys, and the devices of each in
// the order of their ids. A page reads at most 10,000 devices, and has Stopped set if it ended for that reason. Devices returns a
// [validation.Error] for a Limit out of range, [data.ErrInvalidCursor], and [data.ErrCustomerNotFound].
func (c *Scope) Devices(ctx context.Context, q DeviceQuery) (page data.Page[Device], err error) {
	limit, after, err := c.pageStart(q.Limit, q.Cursor)
	if err != nil {
		return page, err
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[Device]{Items: []Device{}}
		read, at := 0, after
		for customer, err := range c.customersFrom(ctx, s, after.customer) {
			if err != nil {
				return err
			}
			accounts, err := accountsByID(ctx, s, customer)
			if err != nil {
				return err
			}
			var rows []*devicedata.Device
			for row, err := range q.devicesOf(ctx, s, customer, after) {
				if err != nil {
					return err
				}
				if len(page.Items)+len(rows) == limit || read == maxScan {
					page.Stopped = read == maxScan && len(page.Items)+len(rows) < limit
					page.Next = at.String()
					break
				}
				read++
				at = position{customer.Key, row.ID}
				keep, err := q.selects(accounts[row.AccountID], row)
				if err != nil {
					return err
				}
				if keep {
					rows = append(rows, row)
				}
			}
			devices, err := withStates(ctx, s, customer, accounts, rows)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, devices...)
			if page.Next != "" {
				return nil
			}
		}
		return nil
	})
	return page, err
}

// devicesOf yields the devices of a customer that follow a position, with the filter by space.
func (q DeviceQuery) devicesOf(ctx context.Context, s *data.Snapshot, customer data.Customer, after position) iter.Seq2[*devicedata.Device, error] {
	var first uuid.UUID
	if after.customer == customer.Key {
		first = after.id
	}
	if q.SpaceKey == "" {
		return devicedata.Devices(ctx, s, devicedata.IDOf(customer), first)
	}
	return func(yield func(*devicedata.Device, error) bool) {
		for row, err := range devicedata.DevicesOfSpace(ctx, s, devicedata.IDOf(customer), q.SpaceKey) {
			if err == nil && bytes.Compare(row.ID[:], first[:]) <= 0 {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (q DeviceQuery) selects(account Account, row *devicedata.Device) (bool, error) {
	if q.AccountID != uuid.Nil && row.AccountID != q.AccountID || q.Unmapped && len(row.Mappings) > 0 {
		return false, nil
	}
	if q.Capability == "" && q.Keep == nil {
		return true, nil
	}
	d, err := newDevice(account, row, nil)
	return (q.Capability == "" || d.Can(q.Capability)) && (q.Keep == nil || q.Keep(d)), err
}

func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return 100, nil
	case limit < 0 || limit > 1000:
		return 0, invalid("limit", validation.RuleRange, nil, "must be from 1 to 1000")
	}
	return limit, nil
}

// DeleteDevice deletes a device that its account no longer lists, with its mappings, and revokes the portals that are deep links to it.
// It returns the access codes whose removal
// from the device is scheduled. It returns [ErrDeviceNotFound], and a [validation.Error] if the account still lists the device:
// then the device would appear again.
func (c *Scope) DeleteDevice(ctx context.Context, id uuid.UUID) (removed []data.CodeRemoval, err error) {
	customer, err := c.customerOfDevice(ctx, id)
	if err != nil {
		return nil, err
	}
	err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		row, _, err := c.findDevice(ctx, tx.Snapshot, id)
		if err != nil {
			return err
		}
		d, err := newDevice(Account{}, row, nil)
		if err != nil {
			return err
		}
		if d.MissingSince.IsZero() {
			return invalid("device_id", validation.RuleFormat, nil, "the account of the device lists it: remove it there first, or delete the account")
		}
		removed, err = devicedata.DeleteDevices(ctx, tx, id)
		return err
	})
	return removed, err
}

func (c *Scope) customerOfDevice(ctx context.Context, id uuid.UUID) (customer devicedata.CustomerID, err error) {
	err = c.view(ctx, func(s *data.Snapshot) error {
		row, _, err := c.findDevice(ctx, s, id)
		if err == nil {
			customer = row.Customer
		}
		return err
	})
	return customer, err
}
