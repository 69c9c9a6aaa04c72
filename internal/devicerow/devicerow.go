// Package devicerow defines the rows of connected accounts, devices, access codes and pending removals. Package layout defines
// their keys. Package data applies the cascade to them, and package devicedata reads and writes them for package access.
//
// Package access gives the rows their meaning. It alone encodes and decodes the fields Details and
// the states of devices, and seals and opens the secrets and PINs: see [layout.RemovalAccount] and [layout.Removal] for the
// keys to which they are bound.
package devicerow

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// version is the first byte of the rows of this package, except those of devices. A row of a device with this version has no
// [Device.Codes], which is then false.
const version = 1

// deviceVersion is the first byte of the rows of devices.
const deviceVersion = 2

// Account is a customer's account at a provider of devices, such as a hub.
type Account struct {
	Customer layout.CustomerID // from the key of the row
	ID       uuid.UUID         // from the key of the row; never changes

	Provider     string // 1 to 64 bytes of a-z, 0-9, "_", "-" and "."; never changes
	ExternalID   string // the account's id at the provider: 1 to 512 bytes of UTF-8 without control characters; never changes
	Name         string // to show to people; at most 200 bytes; may be empty
	SealedSecret []byte // sealed for [layout.RemovalAccount]; may be empty
	Details      []byte // of package access
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Device is a device of a connected account.
type Device struct {
	Customer layout.CustomerID // from the key of the row
	ID       uuid.UUID         // [layout.DeviceID] of AccountID and ExternalID

	AccountID  uuid.UUID
	ExternalID string // the device's id in its account: 1 to 512 bytes of UTF-8 without control characters
	Name       string // to show to people; at most 200 bytes; may be empty
	Details    []byte // of package access
	Codes      bool   // the device accepts access codes
	Mappings   []Mapping
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Mapping is a space to which a device is mapped.
type Mapping struct {
	SpaceKey string

	// Shared is set if the device is an entrance of the whole site: every access grant and staff member that names a space in
	// the site of the mapped space opens the device too.
	Shared bool
}

// IsEntrance reports whether the device is mapped to a space as a shared entrance.
func (v *Device) IsEntrance() bool {
	return slices.ContainsFunc(v.Mappings, func(m Mapping) bool { return m.Shared })
}

// State is the state that a device last reported.
type State struct {
	DeviceID uuid.UUID // from the key of the row
	At       time.Time
	Value    []byte // of package access
}

// Subject identifies the access grant or the staff member to which an access code belongs, by the class and the key of the
// resource.
type Subject struct {
	Class byte // of package data
	Key   string
}

// RemovalAccount is the way to reach an account with pending removals.
type RemovalAccount struct {
	ID uuid.UUID // from the key of the row

	Workspace    uuid.UUID
	Customer     layout.CustomerID // the customer may be deleted
	Provider     string
	ExternalID   string
	SealedSecret []byte // sealed for [layout.RemovalAccount]; the secret of the account when it was last written
}

// RemovalAccount returns the row that is stored while the account has pending removals.
func (a *Account) RemovalAccount(workspace uuid.UUID) *RemovalAccount {
	return &RemovalAccount{
		ID: a.ID, Workspace: workspace, Customer: a.Customer, Provider: a.Provider, ExternalID: a.ExternalID, SealedSecret: a.SealedSecret,
	}
}

// Counts are the numbers of a customer's accounts, devices and codes.
type Counts struct {
	Writes   uint64 // number of writes of accounts, devices, mappings and codes
	Accounts int
	Devices  int
	Codes    int
}

func malformed(what string, err error) error {
	return fmt.Errorf("%w: the row of %s: %w", storage.ErrCorrupt, what, err)
}

// decoder returns a decoder of the bytes after the version.
func decoder(b []byte) *layout.Decoder {
	d := layout.NewDecoder(b)
	if d.Byte() != version {
		d.Fail()
	}
	return d
}

// Encode returns the value of the row of [layout.Account].
func (a *Account) Encode() []byte {
	b := []byte{version}
	b = layout.AppendBytes(b, a.Provider)
	b = layout.AppendBytes(b, a.ExternalID)
	b = layout.AppendBytes(b, a.Name)
	b = layout.AppendBytes(b, a.SealedSecret)
	b = layout.AppendBytes(b, a.Details)
	return layout.AppendTime(layout.AppendTime(b, a.CreatedAt), a.UpdatedAt)
}

// DecodeAccount decodes the value of the row of [layout.Account].
func DecodeAccount(c layout.CustomerID, id uuid.UUID, b []byte) (*Account, error) {
	d := decoder(b)
	a := &Account{
		Customer: c, ID: id, Provider: d.String(), ExternalID: d.String(), Name: d.String(), SealedSecret: bytes(d), Details: bytes(d),
		CreatedAt: d.Time(), UpdatedAt: d.Time(),
	}
	if err := d.Done(); err != nil {
		return nil, malformed("a connected account", err)
	}
	return a, nil
}

// bytes decodes bytes into a slice of its own. It returns nil if their number is zero.
func bytes(d *layout.Decoder) []byte { return append([]byte(nil), d.Bytes()...) }

// Encode returns the value of the row of [layout.Device].
func (v *Device) Encode() []byte {
	b := append([]byte{deviceVersion}, v.AccountID[:]...)
	b = layout.AppendBytes(b, v.ExternalID)
	b = layout.AppendBytes(b, v.Name)
	b = layout.AppendBytes(b, v.Details)
	b = layout.AppendTime(layout.AppendTime(b, v.CreatedAt), v.UpdatedAt)
	b = appendBool(b, v.Codes)
	for _, m := range v.Mappings {
		b = appendBool(layout.AppendBytes(b, m.SpaceKey), m.Shared)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// boolean decodes a value that appendBool encoded.
func boolean(d *layout.Decoder) bool {
	v := d.Byte()
	if v > 1 {
		d.Fail()
	}
	return v == 1
}

// DecodeDevice decodes the value of the row of [layout.Device].
func DecodeDevice(c layout.CustomerID, id uuid.UUID, b []byte) (*Device, error) {
	d := layout.NewDecoder(b)
	stored := d.Byte()
	if stored != version && stored != deviceVersion {
		d.Fail()
	}
	v := &Device{
		Customer: c, ID: id, AccountID: d.UUID(), ExternalID: d.String(), Name: d.String(), Details: bytes(d), CreatedAt: d.Time(), UpdatedAt: d.Time(),
	}
	if stored == deviceVersion {
		v.Codes = boolean(d)
	}
	for d.More() {
		v.Mappings = append(v.Mappings, Mapping{SpaceKey: d.String(), Shared: boolean(d)})
	}
	if err := d.Done(); err != nil || layout.DeviceID(v.AccountID, v.ExternalID) != id {
		return nil, malformed("a device", layout.ErrMalformed)
	}
	return v, nil
}

// Encode returns the value of the row of [layout.DeviceState].
func (s *State) Encode() []byte {
	return append(layout.AppendTime([]byte{version}, s.At), s.Value...)
}

// DecodeState decodes the value of the row of [layout.DeviceState].
func DecodeState(device uuid.UUID, b []byte) (*State, error) {
	d := decoder(b)
	s := &State{DeviceID: device, At: d.Time()}
	if err := d.Err(); err != nil {
		return nil, malformed("the state of a device", err)
	}
	s.Value = append([]byte(nil), d.Remaining()...)
	return s, nil
}

// Encode returns the value of the row of [layout.RemovalAccount].
func (a *RemovalAccount) Encode() []byte {
	b := append([]byte{version}, a.Workspace[:]...)
	b = append(b, a.Customer[:]...)
	b = layout.AppendBytes(b, a.Provider)
	b = layout.AppendBytes(b, a.ExternalID)
	return layout.AppendBytes(b, a.SealedSecret)
}

// DecodeRemovalAccount decodes the value of the row of [layout.RemovalAccount].
func DecodeRemovalAccount(id uuid.UUID, b []byte) (*RemovalAccount, error) {
	d := decoder(b)
	a := &RemovalAccount{ID: id, Workspace: d.UUID(), Customer: d.CustomerID(), Provider: d.String(), ExternalID: d.String(), SealedSecret: bytes(d)}
	if err := d.Done(); err != nil {
		return nil, malformed("an account with removals", err)
	}
	return a, nil
}

// Rows calls row with the key and the value of each row of the account.
func (a *Account) Rows(workspace uuid.UUID, row func(key, value []byte)) {
	row(layout.Account(a.Customer, a.ID), a.Encode())
	row(layout.AccountIndexEntry(a.Customer, a.ID))
	row(a.ProviderAccountEntry(workspace))
}

// ProviderAccountEntry returns the key and the value of the row that finds the account by its id at the provider.
func (a *Account) ProviderAccountEntry(workspace uuid.UUID) (key, value []byte) {
	return layout.ProviderAccount(a.Provider, a.ExternalID, a.Customer), append(workspace[:len(workspace):len(workspace)], a.ID[:]...)
}

// DecodeProviderAccount decodes the value of the row of [layout.ProviderAccount].
func DecodeProviderAccount(b []byte) (workspace, account uuid.UUID, err error) {
	d := layout.NewDecoder(b)
	workspace, account = d.UUID(), d.UUID()
	if err := d.Done(); err != nil {
		return workspace, account, malformed("an account at a provider", err)
	}
	return workspace, account, nil
}

// Encode returns the value of the row of [layout.DeviceCounts].
func (n Counts) Encode() []byte {
	b := binary.AppendUvarint([]byte{version}, n.Writes)
	b = binary.AppendUvarint(b, uint64(n.Accounts))
	b = binary.AppendUvarint(b, uint64(n.Devices))
	return binary.AppendUvarint(b, uint64(n.Codes))
}

// DecodeCounts decodes the value of the row of [layout.DeviceCounts]. All counts are zero if there is no row.
func DecodeCounts(b []byte) (Counts, error) {
	if b == nil {
		return Counts{}, nil
	}
	d := decoder(b)
	n := Counts{d.Uvarint(), int(d.Uvarint()), int(d.Uvarint()), int(d.Uvarint())}
	if err := d.Done(); err != nil {
		return Counts{}, malformed("the number of devices", err)
	}
	return n, nil
}

// Changes are changes of a customer's devices that can end access codes.
type Changes struct {
	Mappings map[uuid.UUID][]Mapping // new mappings by device
	Devices  []uuid.UUID             // deleted devices
	Account  *Account                // deleted account, or nil; Devices must contain its devices
	Codes    map[CodeKey]Reason      // ended codes
}
