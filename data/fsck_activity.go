package data

import (
	"context"

	"github.com/customerportal-go/customerportal/internal/layout"
)

// attemptRow checks the index row of an action attempt, whose value only package access can decode.
func (k *checker) attemptRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	key, value := layout.AttemptIndexEntry(c.id, k.key.ID)
	return k.require(ctx, "its action attempt", row{key, value})
}

// attemptTokenRow checks the form of the row that finds an action attempt by its token. The attempt itself may have been removed
// because it was damaged.
func (k *checker) attemptTokenRow(_ context.Context, _ *checkedCustomer, value []byte) error {
	d := layout.NewDecoder(value)
	if d.UUID(); d.Done() != nil {
		return k.reportMalformed()
	}
	return nil
}

// attemptQueueRow checks that the action attempt that has not ended exists.
func (k *checker) attemptQueueRow(ctx context.Context, value []byte) error {
	workspace, id, attempt, err := layout.ParseAttemptQueueEntry(k.at, value)
	if err != nil {
		return k.reportMalformed()
	}
	c, _, err := k.target(ctx, id, layout.Attempt(id, attempt))
	if c != nil && c.workspace != workspace {
		k.damage(damageDiffers, "its customer belongs to another workspace")
	}
	return err
}

// activityRow checks nothing, also for an automation run: only package access can decode the row, and the activity of a deleted device remains without its
// row of [layout.DeviceActivity].
func (k *checker) activityRow(context.Context, *checkedCustomer, []byte) error { return nil }

func (k *checker) deviceActivityRow(ctx context.Context, c *checkedCustomer, _ []byte) error {
	return k.require(ctx, "its device's activity", row{layout.Activity(c.id, k.key.Activity), nil})
}
