package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// leaky is a driver whose errors contain the secret that it received.
type leaky struct {
	device.Provider
	open *atomic.Bool // whether Open succeeds
}

func leak(secret string) error {
	return fmt.Errorf("%w: GET https://hub/api?token=%s&name=x: EOF, %s", device.ErrOffline, url.QueryEscape(secret), secret)
}

func (p leaky) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	if password := s.Answers["password"].Reveal(); strings.HasPrefix(password, "leak") {
		return device.Pane{}, leak(password)
	}
	return p.Provider.Connect(ctx, s)
}

func (p leaky) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	if !p.open.Load() {
		return nil, leak(a.Secret.Reveal())
	}
	conn, err := p.Provider.Open(ctx, a)
	return leakyConn{conn, a.Secret.Reveal()}, err
}

type leakyConn struct {
	device.Conn
	secret string
}

func (c leakyConn) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	return func(yield func(device.Device, error) bool) {
		for d, err := range c.Conn.Devices(ctx) {
			if !yield(d, err) {
				return
			}
		}
		yield(device.Device{}, leak(c.secret))
	}
}

func (c leakyConn) Do(context.Context, string, device.Command) (device.Outcome, error) {
	_, token, _ := strings.Cut(c.secret, ":")
	return device.Outcome{}, &device.RejectedError{Reason: device.RejectedOther, Detail: leak(token).Error()}
}

func (c leakyConn) Close() error { return leak(c.secret) }

// TestSecrets_ErrorsOfTheDriverContainThem_AreRedacted reads everything to which the errors of a driver go.
func TestSecrets_ErrorsOfTheDriverContainThem_AreRedacted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	h := newHotel(t, store, simulated.Lock("l1", "Needle in the haystack"))
	logged := &lockedBuffer{}
	provider := leaky{h.world.Provider("leaky"), &atomic.Bool{}}
	svc, scope := h.service("leaky", access.Options{
		Logger:    slog.New(slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Providers: []device.Provider{provider}, Lease: patient.Lease, CallTimeout: patient.CallTimeout,
	})
	h.scope = scope
	secret := h.world.Account("anna").Secret.Reveal()
	token := strings.TrimPrefix(secret, "anna:")
	secrets := []string{token, url.QueryEscape(token), "leak/password", "leak%2Fpassword"}

	_, err = scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("anna", "leak/password")})
	require.ErrorIs(t, err, device.ErrOffline)
	require.ErrorContains(t, err, "GET https://hub/api?token=[redacted]&name=x: EOF, [redacted]")
	texts := []string{fmt.Sprintf("%v %+v %#v %q", err, err, err, err)}

	account := connect(t, scope, "anna")
	stop := start(t, svc)
	eventually := func(status access.AccountStatus) {
		require.Eventually(t, func() bool {
			a, err := scope.Account(t.Context(), account.ID)
			account = a
			return err == nil && a.Status == status
		}, 10*time.Minute, 5*time.Millisecond)
	}
	eventually(access.AccountUnreachable)
	require.Contains(t, account.Error, "GET https://hub/api?token=[redacted]&name=x: EOF, [redacted]")
	texts = append(texts, fmt.Sprintf("%+v", account))
	provider.open.Store(true)
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "reading the inventory failed") }, 10*time.Minute, 5*time.Millisecond)
	customer, err := h.ws.Customer(t.Context(), hotelKey)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), h.ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
		_, err := devicedata.PutDevices(ctx, tx, account.ID, []devicedata.Device{{ExternalID: "l1", Name: "Needle in the haystack", Details: []byte(`{"can":["unlock"]}`)}})
		return err
	}))
	attempt := h.do("l1", device.Command{Kind: device.Unlock})
	require.Equal(t, access.ErrorRejected, attempt.Error.Type, "the class of the error is kept")
	require.Contains(t, attempt.Error.Message, "[redacted]")
	h.world.Revoke("anna")
	eventually(access.AccountLost)
	stop()
	export, err := scope.Export(t.Context())
	require.NoError(t, err)
	require.Len(t, export.Attempts, 1)
	exported, err := json.Marshal(export)
	require.NoError(t, err)
	texts = append(texts, string(exported), fmt.Sprintf("%+v %#v", export, export), logged.String())
	requireTextsWithout(t, texts, secrets)
	require.NoError(t, store.Close())
	requireFilesWithout(t, dir, secrets, "Needle in the haystack")
}
