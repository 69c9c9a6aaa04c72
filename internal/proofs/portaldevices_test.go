package proofs

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
)

const simulatedPassword = "password"

// accountOf returns the id of the account of a customer.
func accountOf(word string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(word)) }

// deviceOf returns the id of the lock in the account of a customer.
func deviceOf(word string) uuid.UUID {
	return devicedata.DeviceID(accountOf(word), "lock-"+word)
}

// deviceLink returns the configuration of a deep link to a device.
func deviceLink(id uuid.UUID) portal.Config {
	return portal.Config{DeepLink: data.Ref{Kind: data.KindDevice, Key: id.String()}}
}

// simulatedAccess returns a service, which does not run, with one simulated login for each word.
func simulatedAccess(db *data.DB, ring *keys.Ring, words ...string) (*access.Service, error) {
	w := simulated.New(simulated.Options{Seed: 1})
	for _, word := range words {
		w.AddLogin(simulated.Login{User: "user-" + word, Password: simulatedPassword, AccountID: "login-" + word})
	}
	return access.New(db, access.Options{Keys: ring, Providers: []device.Provider{w.Provider("proofs")}})
}

// stepOf returns the step that connects the login of a word.
func stepOf(word string) access.ConnectStep {
	return access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
		"username": device.NewSecret("user-" + word), "password": device.NewSecret(simulatedPassword),
	}}
}

// addLock creates the account of a word for a customer, with a lock.
func addLock(t *testing.T, ws *data.Workspace, ring *keys.Ring, customer, word string) {
	t.Helper()
	c, err := ws.Customer(t.Context(), customer)
	require.NoError(t, err)
	id := accountOf(word)
	sealed, err := ring.Seal(keys.PurposeAccount, devicedata.SecretKey(id), []byte("secret"), ws.DB().Rand())
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		if err := devicedata.CreateAccount(ctx, tx, devicedata.Account{
			ID: id, Provider: simulated.Key, ExternalID: "login-" + word, Name: "user-" + word, SealedSecret: sealed,
			Details: []byte(`{"status":"connected","since":"2026-03-01T00:00:00Z","connects":0}`),
		}); err != nil {
			return err
		}
		return only(devicedata.PutDevices(ctx, tx, id, []devicedata.Device{
			{ExternalID: "lock-" + word, Name: "Lock " + word, Details: []byte(`{"can":["unlock"]}`)},
		}))
	}))
}
