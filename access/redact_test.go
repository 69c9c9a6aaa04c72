package access

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestRedactor_SecretsAndTheirParts_AreReplaced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ secret, text, want string }{
		{"", "EOF", "EOF"},
		{"a+b", "token=a%2Bb or a+b", "token=[redacted] or [redacted]"},
		{"anna:token 7/8", "for anna: token, token%207%2F8", "for [redacted]: [redacted], [redacted]%207%2F8"},
		{`{"user":"bob","keys":["k+y1",{"x":"q\"uote"}],"port":8123}`, `bob k+y1 k%2By1 q"uote "q\"uote" port 8123`, `bob [redacted] [redacted] [redacted] "[redacted]" port 8123`},
		{"https://hub.local/?key=1234", "https: GET https://hub.local/?key=1234: EOF", "https: GET [redacted]: EOF"},
		{"longer\x00long", "longer long", "[redacted] [redacted]"},
	} {
		require.Equal(t, c.want, newRedactor(c.secret).error(errors.New(c.text)).Error())
	}
	require.NoError(t, newRedactor("secret").error(nil))
}

func TestRedactor_ClassAndDetailOfAnError_AreKept(t *testing.T) {
	t.Parallel()
	rejected := &device.RejectedError{Reason: device.RejectedFull, Detail: "token secret-1 is refused"}
	err := newRedactor("secret-1").error(errors.Join(fmt.Errorf("a secret-1: %w", rejected), context.Canceled))
	require.ErrorIs(t, err, device.ErrRejected)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, device.ErrOffline)
	var got *device.RejectedError
	require.ErrorAs(t, err, &got)
	require.Equal(t, &device.RejectedError{Reason: device.RejectedFull, Detail: "token [redacted] is refused"}, got)
	require.Contains(t, rejected.Detail, "secret-1", "the error of the driver is not changed")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %q", err, err, err, err), "secret-1")
}
