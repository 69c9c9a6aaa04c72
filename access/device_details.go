package access

import (
	"cmp"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// deviceDetails is the stored form of the fields that package access defines.
type deviceDetails struct {
	Manufacturer string                `json:"maker,omitempty"`
	Model        string                `json:"model,omitempty"`
	Serial       string                `json:"serial,omitempty"`
	Capabilities []device.Capability   `json:"can,omitempty"`
	Climate      *device.ClimateLimits `json:"climate,omitempty"`
	Codes        *device.CodeLimits    `json:"codes,omitempty"`
	MissingSince time.Time             `json:"missing,omitzero"`

	Unmanaged []unmanagedCode `json:"unmanaged,omitempty"` // as the lock showed them last

	ReportedName string         `json:"reported,omitempty"` // by the driver
	Settings     deviceSettings `json:"settings,omitzero"`
}

// deviceSettings are the settings of a device that the host makes. The inventory does not change them.
type deviceSettings struct {
	Name           string              `json:"name,omitempty"` // instead of that of the driver
	Metadata       data.CustomMetadata `json:"metadata,omitempty"`
	Presets        []ClimatePreset     `json:"presets,omitempty"`
	FallbackPreset string              `json:"fallback,omitempty"`
}

// IsZero reports whether there are no settings.
func (s deviceSettings) IsZero() bool {
	return s.Name == "" && len(s.Metadata) == 0 && len(s.Presets) == 0 && s.FallbackPreset == ""
}

func detailsOf(d device.Device) deviceDetails {
	return deviceDetails{
		Manufacturer: d.Manufacturer, Model: d.Model, Serial: d.Serial, Capabilities: d.Capabilities, Climate: d.Climate, Codes: d.Codes,
		ReportedName: d.Name,
	}
}

// row returns the stored form of a device of an account.
func (d deviceDetails) row(externalID string) devicedata.Device {
	return devicedata.Device{ExternalID: externalID, Name: cmp.Or(d.Settings.Name, d.ReportedName), Details: encode(d), Codes: d.Codes != nil}
}

// newDevice returns a device of an account. state may be nil.
func newDevice(account Account, row *devicedata.Device, state *devicedata.State) (Device, error) {
	var details deviceDetails
	if err := decode("the details of a device", row.Details, &details); err != nil {
		return Device{}, err
	}
	d := Device{
		ID: row.ID, CustomerKey: account.CustomerKey, AccountID: row.AccountID, ExternalID: row.ExternalID, Name: row.Name,
		Provider: account.Provider, AccountStatus: account.Status,
		Manufacturer: details.Manufacturer, Model: details.Model, Serial: details.Serial, Capabilities: details.Capabilities,
		Climate: details.Climate, Codes: details.Codes, MissingSince: details.MissingSince,
		Metadata: details.Settings.Metadata, ClimatePresets: details.Settings.Presets, FallbackPreset: details.Settings.FallbackPreset,
		UnmanagedCodes: newUnmanaged(row.ID, details.Unmanaged), Mappings: mappingsOf(row), CreatedAt: row.CreatedAt,
	}
	if d.Capabilities == nil {
		d.Capabilities = []device.Capability{}
	}
	if state == nil {
		return d, nil
	}
	stored, err := decodeState(state)
	d.State, d.StateAt, d.LowBatterySince = stored.State, state.At, stored.LowBatterySince
	if d.State.Online.IsKnown() {
		d.OnlineSince = stored.OnlineSince
	}
	return d, err
}

// mappingsOf returns the mappings of a stored device.
func mappingsOf(row *devicedata.Device) []Mapping {
	mappings := []Mapping{}
	for _, m := range row.Mappings {
		mappings = append(mappings, Mapping{SpaceKey: m.SpaceKey, Shared: m.Shared})
	}
	return mappings
}
