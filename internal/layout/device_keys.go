package layout

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
)

// The kinds of connected accounts, devices, access codes, PINs and action attempts in rows of [IDIndex], and in edges of which they are the referrer.
// They are not kinds of resources.
const (
	KindPIN     = 0x90
	KindAttempt = 0xa0
	KindAccount = 0xb0
	KindCode    = 0xc0
	KindDevice  = 0xd0

	classDevice = KindDevice >> 4
)

// DeviceID returns the id of the device that an account lists with this external id. A device that is found again has the same
// id, so no index is necessary to recognize it.
func DeviceID(account uuid.UUID, externalID string) uuid.UUID {
	return uuid.NewHash(sha256.New(), account, []byte(externalID), 8) // version 8 of RFC 9562: defined by its user
}

// AccountsPrefix returns the prefix of a customer's connected accounts.
func AccountsPrefix(c CustomerID) []byte { return customerRow(c, rowAccount, 16) }

// Account returns the key of a connected account.
func Account(c CustomerID, account uuid.UUID) []byte { return append(AccountsPrefix(c), account[:]...) }

// DevicesPrefix returns the prefix of a customer's devices.
func DevicesPrefix(c CustomerID) []byte { return customerRow(c, rowDevice, 16) }

// Device returns the key of a device.
func Device(c CustomerID, device uuid.UUID) []byte { return append(DevicesPrefix(c), device[:]...) }

// DeviceState returns the key of the row of the state that a device last reported.
func DeviceState(c CustomerID, device uuid.UUID) []byte {
	return append(customerRow(c, rowDeviceState, 16), device[:]...)
}

// CodesPrefix returns the prefix of a customer's access codes.
func CodesPrefix(c CustomerID) []byte { return customerRow(c, rowCode, 16+16) }

// DeviceCodesPrefix returns the prefix of the access codes of one device.
func DeviceCodesPrefix(c CustomerID, device uuid.UUID) []byte {
	return append(CodesPrefix(c), device[:]...)
}

// Code returns the key of an access code of a device.
func Code(c CustomerID, device, code uuid.UUID) []byte {
	return append(DeviceCodesPrefix(c, device), code[:]...)
}

// DeviceCounts returns the key of the row that counts a customer's accounts, devices and codes and the writes of them. A
// transaction that writes or deletes one of them, or a mapping, changes this row. A delete depends on it.
func DeviceCounts(c CustomerID) []byte { return customerRow(c, rowDeviceCounts, 0) }

// MappingEdge returns the key of the edge from a device to a space to which it is mapped.
func MappingEdge(c CustomerID, spaceClass byte, spaceKey string, device uuid.UUID) []byte {
	return Edge(c, spaceClass, spaceKey, KindDevice, nil, string(device[:]))
}

// DeviceLinkEdgesPrefix returns the prefix of the rows of [DeviceLinkEdge] of a device.
func DeviceLinkEdgesPrefix(c CustomerID, device uuid.UUID) []byte {
	return EdgesFromPrefix(c, classDevice, device.String(), ReferrerPortal)
}

// DeviceLinkEdge returns the key of the edge from a portal to the device of its deep link. It contains the id of the device as
// text, because the bytes of an id can be zero.
func DeviceLinkEdge(c CustomerID, device, portal uuid.UUID) []byte {
	return append(DeviceLinkEdgesPrefix(c, device), portal[:]...)
}

// GrantedDevicesPrefix returns the prefix of the edges to a device from portals, and from access grants that name the device.
func GrantedDevicesPrefix(c CustomerID, device uuid.UUID) []byte {
	return EdgesPrefix(c, classDevice, device.String())
}

// GrantedDeviceEdge returns the key of the edge from an access grant to a device that it names.
func GrantedDeviceEdge(c CustomerID, device uuid.UUID, referrer byte, span []byte, referrerKey string) []byte {
	return Edge(c, classDevice, device.String(), referrer, span, referrerKey)
}

// LinkedDevice returns the id of the device of an edge that [DeviceLinkEdge] returned. It reports false for an edge to a resource.
func (k Key) LinkedDevice() (device uuid.UUID, is bool, err error) {
	if k.Class != classDevice {
		return uuid.Nil, false, nil
	}
	device, err = uuid.Parse(k.Key)
	if err == nil && device.String() != k.Key {
		err = errors.New("layout: the id of a device is not in its canonical form")
	}
	return device, true, err
}

// CodeEdge returns the key of the edge from an access code to the access grant or staff member whose code it is.
func CodeEdge(c CustomerID, class byte, key string, device, code uuid.UUID) []byte {
	return Edge(c, class, key, KindCode, nil, string(append(device[:len(device):len(device)], code[:]...)))
}

// ParseCodeReferrer returns the ids in the referrer's key of an edge that [CodeEdge] returned.
func ParseCodeReferrer(key string) (device, code uuid.UUID, err error) {
	d := NewDecoder([]byte(key))
	device, code = d.UUID(), d.UUID()
	return device, code, d.Done()
}

// AccountIndexEntry returns the key and the value of the row that finds a connected account by its id.
func AccountIndexEntry(c CustomerID, account uuid.UUID) (key, value []byte) {
	return IDIndex(account), append(c[:len(c):len(c)], KindAccount)
}

// DeviceIndexEntry returns the key and the value of the row that finds a device by its id.
func DeviceIndexEntry(c CustomerID, device uuid.UUID) (key, value []byte) {
	return IDIndex(device), append(c[:len(c):len(c)], KindDevice)
}

// CodeIndexEntry returns the key and the value of the row that finds an access code by its id.
func CodeIndexEntry(c CustomerID, device, code uuid.UUID) (key, value []byte) {
	return IDIndex(code), append(append(c[:len(c):len(c)], KindCode), device[:]...)
}

// AllProviderAccountsPrefix returns the prefix of the rows of [ProviderAccount] of all accounts of all workspaces.
func AllProviderAccountsPrefix() []byte { return []byte{tableProviderAccount} }

// ProviderAccountPrefix returns the prefix of the rows of the customers that have connected one account of a provider.
func ProviderAccountPrefix(provider, externalID string) []byte {
	b := append(append(AllProviderAccountsPrefix(), provider...), 0)
	return append(append(b, externalID...), 0)
}

// ProviderAccount returns the key of the row that finds a customer's connected account by its id at the provider. Its value is
// the id of the workspace and the id of the account.
func ProviderAccount(provider, externalID string, c CustomerID) []byte {
	return append(ProviderAccountPrefix(provider, externalID), c[:]...)
}

// RemovalAccountsPrefix returns the prefix of the accounts with pending removals, of all workspaces.
func RemovalAccountsPrefix() []byte { return []byte{tableRemovalAccount} }

// RemovalAccount returns the key of the row of an account with pending removals. The secret of a connected account is sealed
// with this key as additional data, both in this row and in the row of [Account]. The key contains no customer, so the sealed
// secret can be copied from one row to the other.
func RemovalAccount(account uuid.UUID) []byte { return append(RemovalAccountsPrefix(), account[:]...) }

// RemovalsPrefix returns the prefix of the pending removals of all accounts.
func RemovalsPrefix() []byte { return []byte{tableRemoval} }

// AccountRemovalsPrefix returns the prefix of the pending removals of one account.
func AccountRemovalsPrefix(account uuid.UUID) []byte { return append(RemovalsPrefix(), account[:]...) }

// Removal returns the key of the row of a removal. code is the id that the access code had. The PIN of an access code is sealed
// with this key as additional data, both in this row and in the row of [Code].
func Removal(account, code uuid.UUID) []byte {
	return append(AccountRemovalsPrefix(account), code[:]...)
}

// AccountDuePrefix returns the prefix of the rows of [Due] of one account, which are in the order of time.
func AccountDuePrefix(account uuid.UUID) []byte { return append([]byte{tableDue}, account[:]...) }

// Due returns the key of the row that finds an access code, or a removal, at the time at which package access must look at it. Its
// value is the id of the customer of the access code, and empty for a removal.
func Due(account uuid.UUID, at time.Time, device, code uuid.UUID) []byte {
	return append(append(appendTime(AccountDuePrefix(account), at), device[:]...), code[:]...)
}

// PINsPrefix returns the prefix of the PINs of a customer's access grants and staff members.
func PINsPrefix(c CustomerID) []byte { return customerRow(c, rowPIN, 0) }

// PIN returns the key of the PIN of an access grant or a staff member. The PIN is sealed with this key as additional data.
func PIN(c CustomerID, class byte, key string) []byte {
	return append(append(customerRow(c, rowPIN, 1+len(key)), class), key...)
}

// PINEdge returns the key of the edge from a PIN to its access grant or staff member.
func PINEdge(c CustomerID, class byte, key string) []byte {
	return Edge(c, class, key, KindPIN, nil, "pin")
}

// EntrancesPrefix returns the prefix of the rows of [Entrance] of a customer.
func EntrancesPrefix(c CustomerID) []byte { return customerRow(c, rowEntrance, 16) }

// Entrance returns the key of the row that exists if a device is mapped to a space as a shared entrance.
func Entrance(c CustomerID, device uuid.UUID) []byte { return append(EntrancesPrefix(c), device[:]...) }

// Locks returns the key of the row that counts the devices with access codes that are mapped to a space. There is no row for a space
// without such devices. The empty space key stands for all such devices of the customer, mapped or not. A push depends on this row,
// and not on that of [DeviceCounts], because it changes only with the devices and their mappings.
func Locks(c CustomerID, spaceKey string) []byte {
	return append(customerRow(c, rowLocks, len(spaceKey)), spaceKey...)
}

// ReplansPrefix returns the prefix of the rows of [Replan] of a customer.
func ReplansPrefix(c CustomerID) []byte { return customerRow(c, rowReplan, 16) }

// Replan returns the key of the row that exists while the access codes of a device must be planned again. The zero id stands for
// all devices of the customer.
func Replan(c CustomerID, device uuid.UUID) []byte { return append(ReplansPrefix(c), device[:]...) }

// ReplanIndexPrefix returns the prefix of the rows of [ReplanIndex] of a workspace.
func ReplanIndexPrefix(workspace uuid.UUID) []byte {
	return append([]byte{tableReplan}, workspace[:]...)
}

// ReplanIndex returns the key of the row that exists while a customer has rows of [Replan]. The zero id stands for all customers
// of the workspace.
func ReplanIndex(workspace uuid.UUID, c CustomerID) []byte {
	return append(ReplanIndexPrefix(workspace), c[:]...)
}

// Rules returns the key of the automation rules of a workspace.
func Rules(workspace uuid.UUID) []byte { return append([]byte{tableRules}, workspace[:]...) }

// CustomerRules returns the key of the automation rules of a customer.
func CustomerRules(c CustomerID) []byte { return customerRow(c, rowRules, 0) }
