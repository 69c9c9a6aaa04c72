package layout

import "github.com/google/uuid"

// ActivityID is the time of an activity, as [AppendTime] encodes it, followed by 8 bytes that make it unique.
type ActivityID [16]byte

// AttemptsPrefix returns the prefix of a customer's action attempts.
func AttemptsPrefix(c CustomerID) []byte { return customerRow(c, rowAttempt, 16) }

// Attempt returns the key of an action attempt. The ids of attempts begin with the time, so their rows are in the order of time.
func Attempt(c CustomerID, attempt uuid.UUID) []byte { return append(AttemptsPrefix(c), attempt[:]...) }

// AttemptIndexEntry returns the key and the value of the row that finds an action attempt by its id.
func AttemptIndexEntry(c CustomerID, attempt uuid.UUID) (key, value []byte) {
	return IDIndex(attempt), append(c[:len(c):len(c)], KindAttempt)
}

// AttemptToken returns the key of the row that finds the action attempt that was created with a token, by the hash of the token.
func AttemptToken(c CustomerID, hash uuid.UUID) []byte {
	return append(customerRow(c, rowAttemptToken, 16), hash[:]...)
}

// AttemptQueuePrefix returns the prefix of the rows of [AttemptQueueEntry] of all workspaces.
func AttemptQueuePrefix() []byte { return []byte{tableAttemptQueue} }

// AttemptQueueEntry returns the key and the value of the row that exists while an action attempt has not ended.
func AttemptQueueEntry(workspace uuid.UUID, c CustomerID, attempt uuid.UUID) (key, value []byte) {
	return append(AttemptQueuePrefix(), attempt[:]...), append(workspace[:len(workspace):len(workspace)], c[:]...)
}

// ParseAttemptQueueEntry decodes a row that [AttemptQueueEntry] returned.
func ParseAttemptQueueEntry(key, value []byte) (workspace uuid.UUID, c CustomerID, attempt uuid.UUID, err error) {
	k, err := ParseAs(ShapeAttemptQueue, key)
	if err != nil {
		return workspace, c, attempt, err
	}
	d := NewDecoder(value)
	workspace, c = d.UUID(), d.CustomerID()
	return workspace, c, k.ID, d.Done()
}

// ActivitiesPrefix returns the prefix of a customer's activities, which are in the order of time.
func ActivitiesPrefix(c CustomerID) []byte { return customerRow(c, rowActivity, 16) }

// Activity returns the key of an activity.
func Activity(c CustomerID, id ActivityID) []byte { return append(ActivitiesPrefix(c), id[:]...) }

// DeviceActivitiesPrefix returns the prefix of the rows of [DeviceActivity] of one device.
func DeviceActivitiesPrefix(c CustomerID, device uuid.UUID) []byte {
	return append(customerRow(c, rowDeviceActivity, 16+16), device[:]...)
}

// DeviceActivity returns the key of the row that exists if a customer's activity is one of this device.
func DeviceActivity(c CustomerID, device uuid.UUID, id ActivityID) []byte {
	return append(DeviceActivitiesPrefix(c, device), id[:]...)
}

// RunsPrefix returns the prefix of a customer's automation runs, which are in the order of time.
func RunsPrefix(c CustomerID) []byte { return customerRow(c, rowRun, 16) }

// Run returns the key of an automation run.
func Run(c CustomerID, id ActivityID) []byte { return append(RunsPrefix(c), id[:]...) }
