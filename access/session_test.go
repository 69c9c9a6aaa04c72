package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestDeviceListedAgain_AfterItWasDeleted_HasItsState(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "Room 101"), simulated.Lock("l2", "Room 102")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		h.world.RemoveDevice("l1")
		synctest.Wait()
		_, err := h.scope.DeleteDevice(t.Context(), d.ID)
		require.NoError(t, err)
		h.world.AddDevice("anna", simulated.Lock("l1", "Room 101"))
		synctest.Wait()
		got := h.device("l1")
		require.False(t, got.StateAt.IsZero())
		require.True(t, got.State.Locked.Is(true))
	})
}

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
	for _, text := range texts {
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
	}
	require.NoError(t, store.Close())
	found := false
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		found = found || bytes.Contains(content, []byte("Needle in the haystack"))
		for _, secret := range secrets {
			require.False(t, bytes.Contains(content, []byte(secret)), path)
		}
		return nil
	}))
	require.True(t, found, "the files contain the name of the device in clear text, so a secret would be found too")
}

// wrapped is a driver with other connections.
type wrapped struct {
	device.Provider
	wrap func(device.Conn) (device.Conn, error)
}

func (p wrapped) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return p.wrap(conn)
}

func TestDo_RightAfterReconnectingALostAccount_IsSent(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} { // another service than the one that holds the account connects it
		t.Run(fmt.Sprint("another service: ", other), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				connect(t, h.scope, "anna")
				slow := wrapped{h.world.Provider("slow"), func(c device.Conn) (device.Conn, error) {
					time.Sleep(3 * time.Second)
					return c, nil
				}}
				svc, scope := h.service("slow", access.Options{Providers: []device.Provider{slow}})
				defer start(t, svc)()
				time.Sleep(10 * time.Second)
				id := h.device("l1").ID
				h.world.Revoke("anna")
				time.Sleep(10 * time.Second)
				account, err := scope.Accounts(t.Context())
				require.NoError(t, err)
				require.Equal(t, access.AccountLost, account[0].Status)
				if other {
					connect(t, h.scope, "anna") // the service that holds the account does not notice it at once
				} else {
					connect(t, scope, "anna")
				}
				a, err := scope.Do(t.Context(), id, device.Command{Kind: device.Unlock}, data.Actor{}, time.Minute)
				require.NoError(t, err)
				a, err = scope.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status, "%+v", a.Error)
			})
		})
	}
}

// failingInventory is a connection whose inventory fails after the first reading, and which reports an operation just before.
type failingInventory struct {
	device.Conn
	err  error
	fail *atomic.Bool
	emit chan device.Event
}

func (c failingInventory) Devices(ctx context.Context) iter.Seq2[device.Device, error] {
	if c.fail.Load() {
		return func(yield func(device.Device, error) bool) { yield(device.Device{}, c.err) }
	}
	return c.Conn.Devices(ctx)
}

func (c failingInventory) Watch(ctx context.Context, fn func(device.Event)) error {
	fn(device.Event{Kind: device.Resync})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-c.emit:
			if !ok {
				return c.err
			}
			fn(e)
		}
	}
}

func TestOperations_ConnectionFailsAfterwards_AreStoredAtOnce(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{device.ErrAccountLost, device.ErrOffline} {
		for _, watch := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, Watch ends: %v", cause, watch), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
					connect(t, h.scope, "anna")
					fail, emit := &atomic.Bool{}, make(chan device.Event)
					p := wrapped{h.world.Provider("failing"), func(c device.Conn) (device.Conn, error) {
						if fail.Load() {
							return nil, cause
						}
						return failingInventory{c, cause, fail, emit}, nil
					}}
					svc, _ := h.service("failing", access.Options{Providers: []device.Provider{p}})
					defer start(t, svc)()
					synctest.Wait()
					fail.Store(true)
					operation := device.Event{Kind: device.Operated, DeviceID: "l1", Operation: device.Operation{Method: device.MethodKeypad, Slot: device.Known(3)}}
					for range 20 { // the connection ends before or after the session has taken the event
						emit <- operation
						if !watch {
							emit <- device.Event{Kind: device.Resync}
						}
						if cause == device.ErrAccountLost {
							break
						}
					}
					if watch {
						close(emit)
					}
					time.Sleep(time.Second)
					synctest.Wait()
					n := 0
					for _, a := range h.activities() {
						if a.Method == device.MethodKeypad {
							n++
							require.Equal(t, 3, a.Slot)
						}
					}
					require.Equal(t, map[error]int{device.ErrAccountLost: 1, device.ErrOffline: 20}[cause], n)
				})
			})
		}
	}
}

// damage overwrites the rows of a shape with other values, and returns a function that restores them.
func damage(t *testing.T, store storage.Store, chosen func(layout.Key, []byte) bool) (restore func()) {
	t.Helper()
	before := map[string][]byte{}
	require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
		clear(before)
		for e, err := range tx.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if chosen(layout.Parse(e.Key), e.Value) {
				before[string(e.Key)] = bytes.Clone(e.Value)
			}
		}
		for key := range before {
			if err := tx.Put([]byte(key), []byte("damaged")); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NotEmpty(t, before)
	return func() {
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for key, value := range before {
				if err := tx.Put([]byte(key), value); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func TestSession_StoredDevicesCannotBeRead_ProviderIsNotCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
		connect(t, h.scope, "anna")
		stop := start(t, h.svc)
		synctest.Wait()
		stop()
		restore := damage(t, h.store, func(k layout.Key, _ []byte) bool { return k.Shape == layout.ShapeDeviceState })
		opened, logged := 0, &lockedBuffer{}
		p := wrapped{h.world.Provider("counted"), func(c device.Conn) (device.Conn, error) { opened++; return c, nil }}
		svc, scope := h.service("counted", access.Options{Providers: []device.Provider{p}, Logger: slog.New(slog.NewTextHandler(logged, nil))})
		defer start(t, svc)()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Zero(t, opened)
		require.LessOrEqual(t, strings.Count(logged.String(), "opening a connection failed"), 30, "the pauses grow")
		accounts, err := scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountUnreachable, accounts[0].Status)
		require.Contains(t, accounts[0].Error, "reading the stored devices")
		restore()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, opened)
		accounts, err = scope.Accounts(t.Context())
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, accounts[0].Status)
		require.Empty(t, accounts[0].Error)
	})
}

// statelessStore refuses to write states of devices while it fails, and counts how often. It records the largest transactions.
type statelessStore struct {
	storage.Store
	fails    atomic.Bool
	failures atomic.Int64

	states, deletes atomic.Int64 // the greatest numbers in one transaction
}

type statelessTx struct {
	storage.Tx
	s               *statelessStore
	states, deletes *int64
}

func (s *statelessStore) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	return s.Store.Update(ctx, func(tx storage.Tx) error {
		var states, deletes int64
		err := fn(statelessTx{tx, s, &states, &deletes})
		s.states.Store(max(s.states.Load(), states))
		s.deletes.Store(max(s.deletes.Load(), deletes))
		return err
	}, reads...)
}

func (tx statelessTx) Put(key, value []byte) error {
	if layout.Parse(key).Shape == layout.ShapeDeviceState {
		*tx.states++
		if tx.s.fails.Load() {
			tx.s.failures.Add(1)
			return errDisk
		}
	}
	return tx.Tx.Put(key, value)
}

func (tx statelessTx) Delete(keys ...[]byte) error {
	*tx.deletes += int64(len(keys))
	return tx.Tx.Delete(keys...)
}

func TestStates_StoreFailsWhileDevicesReport_PausesGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store, simulated.ContactSensor("c1", "Window"))
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		inventories := func() (n int) {
			for _, call := range h.world.Calls() {
				if call.Method == "Devices" {
					n++
				}
			}
			return n
		}
		before := inventories()
		store.fails.Store(true)
		for second := range 601 {
			h.world.SetState("c1", func(s *device.State) { s.DoorOpen = device.Known(second%2 == 0) })
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, store.failures.Load(), int64(20), "601 states, each of which is urgent")
		require.GreaterOrEqual(t, store.failures.Load(), int64(10))
		require.Equal(t, before, inventories(), "the inventory is not read again")
		store.fails.Store(false)
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.True(t, h.device("c1").State.DoorOpen.Is(true))
		require.Equal(t, before, inventories())
	})
}

func TestStates_ManyWaitForTheSameTime_TransactionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store)
		const n = 1100
		for i := range n {
			h.world.AddDevice("anna", simulated.Thermostat(fmt.Sprint("t", i), fmt.Sprint("Room ", i)))
		}
		connect(t, h.scope, "anna")
		defer start(t, h.svc)()
		synctest.Wait()
		for i := range n {
			h.world.SetState(fmt.Sprint("t", i), func(s *device.State) { s.Temperature = device.Known(29.0) })
			if i%200 == 199 {
				synctest.Wait() // so that the events do not exceed the buffer of the driver
			}
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.True(t, h.device("t7").State.Temperature.Is(29))
		require.Equal(t, int64(500), store.states.Load())
	})
}

func TestMaintenance_ManyOldAttempts_TransactionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &statelessStore{Store: memory.New()}
		h := newHotel(t, store)
		row, err := h.ws.Customer(t.Context(), hotelKey)
		require.NoError(t, err)
		customer := devicedata.IDOf(row)
		const n = 4000
		require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error {
			for i := range n {
				id := uuid.UUID{8: byte(i >> 8), 9: byte(i)} // its time is that of 1970
				index, value := layout.AttemptIndexEntry(customer, id)
				if err := tx.Put(index, value); err != nil {
					return err
				}
				if err := tx.Put(layout.Attempt(customer, id), []byte("{}")); err != nil {
					return err
				}
			}
			return nil
		}))
		defer start(t, h.svc)()
		synctest.Wait()
		kept := 0
		require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
			for _, err := range r.Scan(t.Context(), storage.Prefix(layout.AttemptsPrefix(customer)), storage.ScanOptions{}) {
				require.NoError(t, err)
				kept++
			}
			return nil
		}))
		require.Zero(t, kept)
		require.Positive(t, store.deletes.Load())
		require.LessOrEqual(t, store.deletes.Load(), int64(5000))
	})
}

func TestHolder_AccountRowOfOneCustomerIsDamaged_OthersAreServed(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} { // the row is damaged while the service runs
		t.Run(fmt.Sprint("while running: ", running), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
				damaged := connect(t, h.scope, "anna")
				_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: "other"})
				require.NoError(t, err)
				logged := &lockedBuffer{}
				svc, _ := h.service("first", access.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
				if running {
					defer start(t, svc)()
					synctest.Wait()
				}
				restore := damage(t, h.store, func(k layout.Key, _ []byte) bool { return k.Shape == layout.ShapeAccount && k.ID == damaged.ID })
				other := svc.Workspace(workspaceID).Customer("other")
				connect(t, other, "anna")
				if !running {
					defer start(t, svc)()
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				accounts, err := other.Accounts(t.Context())
				require.NoError(t, err)
				require.Equal(t, access.AccountConnected, accounts[0].Status)
				page, err := other.Devices(t.Context(), access.DeviceQuery{})
				require.NoError(t, err)
				require.Len(t, page.Items, 1)
				a, err := other.Do(t.Context(), page.Items[0].ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
				require.NoError(t, err)
				a, err = other.Wait(t.Context(), a.ID)
				require.NoError(t, err)
				require.Equal(t, access.AttemptSuccess, a.Status)
				require.Equal(t, 1, strings.Count(logged.String(), "reading an account failed"))
				restore()
				time.Sleep(time.Minute)
				synctest.Wait()
				require.True(t, h.device("l1").State.Locked.Is(false))
			})
		})
	}
}
