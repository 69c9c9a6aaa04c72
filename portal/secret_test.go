package portal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
)

func TestSecret_Printed_IsRedacted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		code := portal.Code(p.URL.Reveal())
		require.Len(t, code, 33)
		session, err := f.portals.Resolve(t.Context(), code)
		require.NoError(t, err)
		_, forged := f.portals.Resolve(t.Context(), code[:32]+"?")
		kept, err := f.portals.OpenSession(t.Context(), code, "")
		require.NoError(t, err)
		token := kept.Token().Reveal()

		var out bytes.Buffer
		for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			logger.Info("portal", "url", p.URL, "keys", f.keys, "session", session, "error", forged)
			logger.Info("portal", "portal", p, "pointer", &p, "service", f.portals)
			logger.Info("portal", "text", fmt.Sprint(p), "session", fmt.Sprintf("%+v %+v %v", session, kept, kept.Token()))
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, v := range []any{p.URL, p, &p, []portal.Secret{p.URL}, f.keys, *session, kept, *kept, f.portals, *f.portals, forged} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
		}
		b, err := json.Marshal(map[string]any{"url": p.URL, "keys": f.keys})
		require.NoError(t, err)
		out.Write(b)
		require.Contains(t, out.String(), "[redacted]")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.Equal(t, "portal.Service", fmt.Sprintf(verb, f.portals), "its keys are not printed")
			require.Equal(t, "[redacted]", fmt.Sprintf(verb, f.keys))
			require.Equal(t, "portal.Session("+p.ID.String()+")", fmt.Sprintf(verb, session))
		}
		for _, part := range []string{code, code[:20], code[20:], fmt.Sprintf("%x", code), token, token[:11], fmt.Sprintf("%x", token)} {
			require.NotContains(t, out.String(), part)
		}
	})
}
