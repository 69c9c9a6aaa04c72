package device_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestForm_Check(t *testing.T) {
	t.Parallel()
	form := device.Form{Fields: []device.Field{
		{Name: "url", Label: "Address", Kind: device.FieldURL, Value: "mqtt://"},
		{Name: "password", Label: "Password", Kind: device.FieldSecret},
		{Name: "base_topic", Label: "Topic", Kind: device.FieldText, Optional: true},
		{Name: "version", Label: "Version", Kind: device.FieldChoice, Optional: true, Options: []device.Option{{Value: "5", Label: "5"}}},
	}}
	check := func(answers map[string]string) (device.Form, bool) {
		secrets := map[string]device.Secret{}
		for name, text := range answers {
			secrets[name] = device.NewSecret(text)
		}
		return form.Check(secrets)
	}

	got, ok := check(map[string]string{"url": "mqtt://host", "password": "secret", "version": "5"})
	require.True(t, ok)
	require.Equal(t, []string{"mqtt://host", "", "", "5"}, values(got), "values without secrets")

	got, ok = check(map[string]string{"base_topic": "t"})
	require.False(t, ok)
	require.Equal(t, []device.Problem{device.ProblemMissing, device.ProblemMissing, "", ""}, problems(got))

	got, ok = check(map[string]string{"url": strings.Repeat("x", device.MaxAnswerBytes+1), "password": "\xff", "version": "3"})
	require.False(t, ok)
	require.Equal(t, []device.Problem{device.ProblemInvalid, device.ProblemInvalid, "", device.ProblemInvalid}, problems(got))
	require.NotContains(t, values(got), "3", "an invalid answer is not repeated")

	got, ok = check(map[string]string{"url": "mqtt://host", "password": "secret", "pasword": "secret"})
	require.False(t, ok)
	require.Equal(t, device.ProblemUnknown, got.Problem)
	require.Contains(t, got.Message, "pasword")
	require.Equal(t, "mqtt://", form.Fields[0].Value, "the form itself does not change")
}

func values(f device.Form) []string {
	var all []string
	for _, field := range f.Fields {
		all = append(all, field.Value)
	}
	return all
}

func problems(f device.Form) []device.Problem {
	var all []device.Problem
	for _, field := range f.Fields {
		all = append(all, field.Problem)
	}
	return all
}
