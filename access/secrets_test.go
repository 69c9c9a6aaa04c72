package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// lockedBuffer collects a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// loggingProvider logs everything that it receives and returns, at the level debug.
type loggingProvider struct {
	device.Provider
	log *slog.Logger
}

func (p loggingProvider) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	pane, err := p.Provider.Connect(ctx, s)
	p.log.Debug("connect", "step", s, "text", fmt.Sprintf("%v %+v %#v", s, pane, pane.Done), "error", err)
	return pane, err
}

func (p loggingProvider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	conn, err := p.Provider.Open(ctx, a)
	p.log.Debug("open", "account", a, "text", fmt.Sprintf("%v %+v %#v", a, a, a), "error", err)
	return conn, err
}

// TestSecrets_LogsErrorsExportAndFiles_DoNotContainThem uses an account on Badger, with a driver that logs everything.
func TestSecrets_LogsErrorsExportAndFiles_DoNotContainThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	h := newHotel(t, store, simulated.Lock("l1", "Needle in the haystack"))
	logged := &lockedBuffer{}
	log := slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	svc, scope := h.service("logging", access.Options{
		Logger: log, Providers: []device.Provider{loggingProvider{h.world.Provider("logging"), log}}, Lease: patient.Lease, CallTimeout: patient.CallTimeout,
	})
	h.scope = scope
	token := strings.TrimPrefix(h.world.Account("anna").Secret.Reveal(), "anna:")
	require.Len(t, token, 32)
	secrets := []string{password, token}

	var texts []string
	_, err = scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: login("anna", "wrong"), State: []byte(token)})
	texts = append(texts, fmt.Sprintf("%v %+v", err, err))
	account := connect(t, scope, "anna")
	stop := start(t, svc)
	require.Eventually(t, func() bool {
		page, err := scope.Devices(t.Context(), access.DeviceQuery{})
		return err == nil && len(page.Items) == 1
	}, 10*time.Minute, 5*time.Millisecond)
	require.Equal(t, access.AttemptSuccess, h.do("l1", device.Command{Kind: device.Unlock}).Status)
	h.world.Revoke("anna")
	require.Eventually(t, func() bool {
		a, err := scope.Account(t.Context(), account.ID)
		return err == nil && a.Status == access.AccountLost
	}, 10*time.Minute, 5*time.Millisecond)
	stop()
	export, err := scope.Export(t.Context())
	require.NoError(t, err)
	require.Len(t, export.Accounts, 1)
	require.Len(t, export.Devices, 1)
	require.Len(t, export.Attempts, 1)
	require.NotEmpty(t, export.Activities)
	exported, err := json.Marshal(export)
	require.NoError(t, err)
	texts = append(texts, string(exported), fmt.Sprintf("%+v %#v", export, export), logged.String())
	require.Contains(t, logged.String(), "msg=open")
	requireTextsWithout(t, texts, secrets)

	require.NoError(t, store.Close())
	requireFilesWithout(t, dir, secrets, "Needle in the haystack")
}

// requireTextsWithout checks that no text contains a secret.
func requireTextsWithout(t *testing.T, texts, secrets []string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
	}
}

// requireFilesWithout checks that no file in a directory contains a secret. One of them must contain a text that is stored in the
// clear, because a secret would be found then too.
func requireFilesWithout(t *testing.T, dir string, secrets []string, clearText string) {
	t.Helper()
	found := false
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		found = found || bytes.Contains(content, []byte(clearText))
		for _, secret := range secrets {
			require.False(t, bytes.Contains(content, []byte(secret)), path)
		}
		return nil
	}))
	require.True(t, found, "no file contains %q", clearText)
}

// furnishedPIN is long, so that it does not occur in files by chance.
const furnishedPIN = "4829163750-4829163750"

// furnish stores an account, a code and a removal of the same account, and the PIN of an access grant, all sealed with the ring of the hotel.
func furnish(t *testing.T, h *hotel) (account access.Account, removal uuid.UUID) {
	t.Helper()
	account = connect(t, h.scope, "anna")
	grant := data.PlainAccessGrant("g", data.Ref{}, data.Ref{Kind: data.KindSpace, Key: "101"})
	_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, AccessGrants: []data.AccessGrant{grant}})
	require.NoError(t, err)
	customer, err := h.ws.Customer(t.Context(), hotelKey)
	require.NoError(t, err)
	removal = uuid.UUID{4, 4}
	require.NoError(t, devicedata.Within(t.Context(), h.ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
		if _, err := devicedata.PutDevices(ctx, tx, account.ID, []devicedata.Device{{ExternalID: "l1", Name: "Room 101", Details: []byte(`{"can":["unlock"]}`)}}); err != nil {
			return err
		}
		id := devicedata.DeviceID(account.ID, "l1")
		var codes []devicedata.Code
		for slot, code := range []uuid.UUID{{3, 3}, removal} {
			sealed, err := h.ring.Seal(keys.PurposePIN, devicedata.PINKey(account.ID, code), []byte(furnishedPIN), h.ws.DB().Rand())
			if err != nil {
				return err
			}
			codes = append(codes, devicedata.Code{DeviceID: id, ID: code, Subject: devicedata.GrantSubject("g"), Slot: slot + 1, SealedPIN: sealed})
		}
		if err := devicedata.CreateCodes(ctx, tx, codes); err != nil {
			return err
		}
		subject := codes[0].Subject
		sealed, err := h.ring.Seal(keys.PurposePIN, devicedata.SubjectPINKey(devicedata.IDOf(customer), subject), []byte(furnishedPIN), h.ws.DB().Rand())
		if err != nil {
			return err
		}
		if err := devicedata.SetSubjectPIN(ctx, tx, subject, sealed); err != nil {
			return err
		}
		_, err = devicedata.EndCodes(ctx, tx, []devicedata.CodeKey{{Device: id, Code: removal}}, devicedata.ReasonEnded)
		return err
	}))
	return account, removal
}

func TestReseal_NewMaster_OldSlotCanBeDropped(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	account, removal := furnish(t, h)
	counts, err := h.svc.SealedBySlot(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[int]int{1: 5}, counts, "the account, the code, the removal, the account of the removal, and the PIN")
	require.NoError(t, h.svc.CheckKeys(t.Context(), newRing(t, 2, 1)))
	err = h.svc.CheckKeys(t.Context(), newRing(t, 2))
	require.ErrorIs(t, err, access.ErrSlotInUse)
	require.ErrorContains(t, err, "slot 1")

	h.ring = newRing(t, 2, 1)
	rotated, _ := h.service("rotated", access.Options{})
	n, err := rotated.Reseal(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, 4, "the account of the removal may be written with the account")
	counts, err = rotated.SealedBySlot(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[int]int{2: 5}, counts)
	n, err = rotated.Reseal(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	next := newRing(t, 2)
	require.NoError(t, rotated.CheckKeys(t.Context(), next))
	customer, err := h.ws.Customer(t.Context(), hotelKey)
	require.NoError(t, err)
	require.NoError(t, h.ws.View(t.Context(), func(s *data.Snapshot) error {
		id, subject := devicedata.IDOf(customer), devicedata.GrantSubject("g")
		sealed, err := devicedata.SubjectPIN(t.Context(), s, id, subject)
		require.NoError(t, err)
		pin, err := next.Open(keys.PurposePIN, devicedata.SubjectPINKey(id, subject), sealed)
		require.NoError(t, err)
		require.Equal(t, furnishedPIN, string(pin))
		return nil
	}))
	require.NoError(t, devicedata.View(t.Context(), h.ws.DB(), func(r storage.Reader) error {
		stored, err := devicedata.FindRemoval(t.Context(), r, account.ID, removal)
		require.NoError(t, err)
		pin, err := next.Open(keys.PurposePIN, devicedata.PINKey(account.ID, removal), stored.SealedPIN)
		require.NoError(t, err)
		require.Equal(t, furnishedPIN, string(pin))
		reach, err := devicedata.FindRemovalAccount(t.Context(), r, account.ID)
		require.NoError(t, err)
		secret, err := next.Open(keys.PurposeAccount, devicedata.SecretKey(account.ID), reach.SealedSecret)
		require.NoError(t, err)
		require.Equal(t, h.world.Account("anna").Secret.Reveal(), string(secret))
		return nil
	}))

	require.NoError(t, devicedata.Within(t.Context(), h.ws, devicedata.IDOf(customer), func(ctx context.Context, tx data.CustomerTx) error {
		_, err := devicedata.DeleteAccount(ctx, tx, account.ID)
		return err
	}))
	counts, err = rotated.SealedBySlot(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[int]int{2: 4}, counts, "two removals, their account, and the PIN of a customer without accounts")
	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
	require.NoError(t, err)
	counts, err = rotated.SealedBySlot(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[int]int{2: 3}, counts, "two removals and their account")
	require.ErrorIs(t, rotated.CheckKeys(t.Context(), newRing(t, 3)), access.ErrSlotInUse, "removals of a deleted customer count too")
}

func TestReseal_MissingMaster_OthersAreSealedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHotel(t, memory.New())
		furnish(t, h)
		h.world.AddLogin(simulated.Login{User: "bob", Password: password})
		h.ring = newRing(t, 3, 1)
		_, scope := h.service("third", access.Options{})
		bob := connect(t, scope, "bob")
		h.ring = newRing(t, 2, 3) // slot 1 was dropped too early
		svc, _ := h.service("rotated", access.Options{})
		stop := start(t, svc) // Run seals again at once
		synctest.Wait()
		stop()
		counts, err := svc.SealedBySlot(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[int]int{1: 5, 2: 1}, counts)
		n, err := svc.Reseal(t.Context())
		require.ErrorIs(t, err, keys.ErrNoMaster)
		require.Zero(t, n)
		account, err := scope.Account(t.Context(), bob.ID)
		require.NoError(t, err)
		require.Equal(t, access.AccountConnected, account.Status)
		accounts, err := h.scope.Accounts(t.Context())
		require.NoError(t, err)
		for _, a := range accounts {
			if a.ID != bob.ID {
				require.Equal(t, access.AccountUnreachable, a.Status)
				require.Contains(t, a.Error, "slot 1")
			}
		}
	})
}

func TestGiveUp_Removal_IsRecordedAndGone(t *testing.T) {
	t.Parallel()
	h := newHotel(t, memory.New())
	account, removal := furnish(t, h)
	logged := &lockedBuffer{}
	svc, scope := h.service("logging", access.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
	page, err := scope.Removals(t.Context(), access.RemovalQuery{})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	r := page.Items[0]
	require.Equal(t, removal, r.ID)
	require.Equal(t, account.ID, r.AccountID)
	require.Equal(t, 2, r.Slot)
	require.EqualValues(t, "access_ended", r.Reason)
	require.Equal(t, simulated.Key, r.Provider)
	n, err := svc.Workspace(uuid.UUID{8}).CountRemovals(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "another workspace")
	_, err = svc.Workspace(uuid.UUID{8}).GiveUp(t.Context(), removal, data.Actor{})
	require.ErrorIs(t, err, access.ErrRemovalNotFound)
	given, err := scope.GiveUp(t.Context(), removal, data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{9}})
	require.NoError(t, err)
	require.Equal(t, r, given)
	require.Contains(t, logged.String(), "given up")
	require.Equal(t, access.ActivityGaveUp, h.activities()[0].Kind)
	require.Equal(t, data.ActorPortal, h.activities()[0].Actor.Type)
	_, err = scope.GiveUp(t.Context(), removal, data.Actor{})
	require.ErrorIs(t, err, access.ErrRemovalNotFound)

	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
	require.NoError(t, err)
	n, err = svc.Workspace(workspaceID).CountRemovals(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the other code")
	page, err = svc.Workspace(workspaceID).Removals(t.Context(), access.RemovalQuery{})
	require.NoError(t, err)
	require.EqualValues(t, "customer_deleted", page.Items[0].Reason)
	_, err = svc.Workspace(workspaceID).GiveUp(t.Context(), page.Items[0].ID, data.Actor{})
	require.NoError(t, err)
}
