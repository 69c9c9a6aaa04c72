package access_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/storage/badger"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// formsOf returns the secret as it is and as it would look in other forms.
func formsOf(secret string) []string {
	raw := []byte(secret)
	decimal := strings.Trim(fmt.Sprint(raw), "[]")
	quoted, _ := json.Marshal(secret)
	return []string{
		secret, hex.EncodeToString(raw), fmt.Sprintf("%X", raw), decimal, strings.ReplaceAll(decimal, " ", ", "),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", raw), "[]byte{"), "}"),
		strings.TrimRight(base64.StdEncoding.EncodeToString(raw), "="), strings.TrimRight(base64.URLEncoding.EncodeToString(raw), "="),
		string(quoted[1 : len(quoted)-1]),
	}
}

// printed returns everything that fmt and JSON make of a value.
func printed(t *testing.T, v any) string {
	t.Helper()
	text := fmt.Sprintf("%v\n%+v\n%#v\n%s\n%q\n%x\n%d\n", v, v, v, v, v, v, v)
	if encoded, err := json.Marshal(v); err == nil { // Service has no JSON form
		text += string(encoded)
	}
	return text
}

// statefulProvider asks for a second step, whose state is secret.
type statefulProvider struct {
	device.Provider
	state device.Secret
}

func (p statefulProvider) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	if len(s.Answers) > 0 && s.State.Reveal() == "" {
		return device.Pane{
			Form:  &device.Form{Fields: []device.Field{{Name: "code", Label: "Code", Kind: device.FieldCode}}},
			State: p.state,
		}, nil
	}
	if s.State == p.state {
		return device.Pane{}, device.ErrOffline
	}
	return p.Provider.Connect(ctx, s)
}

// TestSecrets_EveryExportedType_PrintsNone prints and encodes values of all exported types that hold or come from secrets.
func TestSecrets_EveryExportedType_PrintsNone(t *testing.T) {
	t.Parallel()
	const driverState = "opaque driver state 7f3a9c51"
	h := newHotel(t, memory.New(), simulated.Lock("l1", "Room 101"))
	account, removal := furnish(t, h)
	secrets := []string{password, h.world.Account("anna").Secret.Reveal(), furnishedPIN, driverState, strings.Repeat("\x02\x07", 16)}

	options := access.Options{Keys: h.ring, Providers: []device.Provider{statefulProvider{h.world.Provider("stateful"), device.NewSecret(driverState)}}}
	svc, scope := h.service("stateful", options)
	step := access.ConnectStep{Provider: simulated.Key, Answers: login("anna", password)}
	pane, err := scope.Connect(t.Context(), step)
	require.NoError(t, err)
	require.NotEmpty(t, pane.State)
	for _, form := range formsOf(driverState) {
		require.NotContains(t, string(pane.State), form, "the state is sealed")
	}
	next := access.ConnectStep{Provider: simulated.Key, State: pane.State, Answers: map[string]device.Secret{"code": device.NewSecret(password)}}
	_, offline := scope.Connect(t.Context(), next)
	require.ErrorIs(t, offline, device.ErrOffline)
	next.State = append(slices.Clone(pane.State), 1)
	_, changed := scope.Connect(t.Context(), next)
	require.ErrorContains(t, changed, "does not belong to this connection")

	page, err := h.scope.Removals(t.Context(), access.RemovalQuery{})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, removal, page.Items[0].ID)
	export, err := h.scope.Export(t.Context())
	require.NoError(t, err)
	require.Len(t, export.Codes, 1)
	attempt, err := h.scope.Do(t.Context(), h.device("l1").ID, device.Command{Kind: device.Unlock}, data.Actor{}, 0)
	require.NoError(t, err)
	suggestions, err := h.scope.Suggestions(t.Context())
	require.NoError(t, err)
	removed, err := h.scope.DeleteAccount(t.Context(), account.ID)
	require.NoError(t, err)
	require.Len(t, removed, 1)
	given, err := svc.Workspace(workspaceID).GiveUp(t.Context(), removal, data.Actor{})
	require.NoError(t, err)
	_, unknown := svc.Workspace(workspaceID).GiveUp(t.Context(), uuid.UUID{1}, data.Actor{})
	require.ErrorIs(t, unknown, access.ErrRemovalNotFound)
	inUse := svc.CheckKeys(t.Context(), newRing(t, 2))
	require.ErrorIs(t, inUse, access.ErrSlotInUse)
	for _, v := range []any{
		options, svc, scope, step, next, pane, account, page, export, attempt, suggestions, removed, given, offline, changed, unknown, inUse,
	} {
		text := printed(t, v)
		for _, secret := range secrets {
			for _, form := range formsOf(secret) {
				require.NotContains(t, text, form, "%T", v)
			}
		}
	}
}

// TestSecrets_CodesAndRemovals_AreSealedInTheFiles stores codes and removals in Badger, and deletes their customer.
func TestSecrets_CodesAndRemovals_AreSealedInTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	h := newHotel(t, store)
	account, _ := furnish(t, h)
	secret := h.world.Account("anna").Secret.Reveal()
	h.ring = newRing(t, 2, 1)
	rotated, scope := h.service("rotated", access.Options{})
	_, err = rotated.Reseal(t.Context())
	require.NoError(t, err)
	_, err = scope.DeleteAccount(t.Context(), account.ID)
	require.NoError(t, err)
	_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{hotelKey}})
	require.NoError(t, err)
	n, err := rotated.Workspace(workspaceID).CountRemovals(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.NoError(t, store.Close())
	var forms []string
	for _, value := range []string{furnishedPIN, password, secret, strings.TrimPrefix(secret, "anna:")} {
		forms = append(forms, formsOf(value)...)
	}
	requireFilesWithout(t, dir, forms, "Hotel Anna")
}
