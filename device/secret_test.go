package device_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestSecret_EveryWayToPrint_IsRedacted(t *testing.T) {
	t.Parallel()
	const text = "correct horse battery"
	secret := device.NewSecret(text)
	type nested struct {
		Exported   device.Secret
		unexported device.Secret
		pointer    *device.Secret
		list       []device.Secret
		answers    map[string]device.Secret
	}
	value := nested{secret, secret, &secret, []device.Secret{secret}, map[string]device.Secret{"password": secret}}
	slot := device.Slot{Index: 1, PIN: secret}
	account := device.Account{ID: "a", Secret: secret}
	step := device.Step{State: secret, Answers: value.answers, Reconnect: &account}
	for _, v := range []any{secret, &secret, value, &value, slot, account, step, []any{secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%10.3s", "%w"} {
			var printed string
			if strings.Contains(verb, "%T") {
				printed = fmt.Sprintf(verb, v, v)
			} else {
				printed = fmt.Sprintf(verb, v)
			}
			require.NotContains(t, printed, text, verb)
			require.NotContains(t, printed, fmt.Sprintf("%x", text), verb)
			require.NotContains(t, printed, fmt.Sprintf("%X", text), verb)
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(encoded), text)
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("value", "v", v)
		}
		require.NotContains(t, log.String(), text)
	}
	require.Equal(t, "[redacted]", fmt.Sprintf("%x", secret))
	require.Equal(t, "[redacted]", fmt.Sprint(device.Secret{}), "an empty secret does not show that it is empty")
	require.Equal(t, "[redacted]", secret.String())
	encoded, err := json.Marshal(map[device.Secret]device.Secret{secret: secret})
	require.NoError(t, err)
	require.JSONEq(t, `{"[redacted]": "[redacted]"}`, string(encoded))
	require.ErrorContains(t, json.Unmarshal([]byte(`"[redacted]"`), &secret), "use NewSecret")
}

func TestSecret_Comparison_ComparesTexts(t *testing.T) {
	t.Parallel()
	a, b := device.NewSecret("0012"), device.NewSecret("00"+strings.Repeat("12", 1))
	require.True(t, a == b)
	require.False(t, a == device.NewSecret("12"))
	require.Equal(t, "0012", a.Reveal())
	require.True(t, device.NewSecret("").IsZero())
	require.Empty(t, device.Secret{}.Reveal())
	require.False(t, a.IsZero())
}
