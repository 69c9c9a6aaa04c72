package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// minSecretPart is the length in bytes from which a part of a secret is removed from errors. Shorter parts occur by chance.
const minSecretPart = 4

// redactor removes secrets from the errors of a driver, which are stored, logged and returned to callers.
type redactor struct {
	replacer *strings.Replacer // nil if there is no secret
}

// newRedactor returns a redactor for secrets and their parts. The parts of a secret that is JSON are its string values. Other
// secrets are split at separators, except a URL.
func newRedactor(secrets ...string) redactor {
	var forms []string
	add := func(text string) {
		quoted := strconv.Quote(text)
		escaped, _ := json.Marshal(text) // a string can always be encoded
		forms = append(forms, text, url.QueryEscape(text), url.PathEscape(text), quoted[1:len(quoted)-1], string(escaped[1:len(escaped)-1]))
	}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		add(secret)
		for _, part := range secretParts(secret) {
			if len(part) >= minSecretPart {
				add(part)
			}
		}
	}
	if len(forms) == 0 {
		return redactor{}
	}
	// A Replacer prefers the earlier of two texts at the same place, which must be the longer one.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, device.Secret{}.String())
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func secretParts(secret string) []string {
	var value any
	if json.Unmarshal([]byte(secret), &value) == nil {
		return stringValues(value, nil)
	}
	if strings.Contains(secret, "://") {
		return nil
	}
	return strings.FieldsFunc(secret, func(r rune) bool { return r <= ' ' || strings.ContainsRune(":;,|&=", r) })
}

// stringValues appends the strings in a decoded JSON value to out.
func stringValues(value any, out []string) []string {
	switch v := value.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, element := range v {
			out = stringValues(element, out)
		}
	case map[string]any:
		for _, element := range v {
			out = stringValues(element, out)
		}
	}
	return out
}

func (r redactor) text(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}

// error returns an error whose text contains no secret, and which errors.Is and errors.As treat like err.
func (r redactor) error(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{r.text(err.Error()), func() (redactor, error) { return r, err }}
}

// redactedError has the text of an error without secrets. It has no Unwrap, so that nothing prints the original.
type redactedError struct {
	text     string
	original func() (redactor, error) // a function, because fmt prints the fields of a struct
}

func (e *redactedError) Error() string { return e.text }

// Is reports whether the original error matches target.
func (e *redactedError) Is(target error) bool {
	_, err := e.original()
	return errors.Is(err, target)
}

// As finds target in the original error. The texts of a [device.RejectedError] contain no secret either.
func (e *redactedError) As(target any) bool {
	r, err := e.original()
	if !errors.As(err, target) {
		return false
	}
	if rejected, ok := target.(**device.RejectedError); ok {
		clean := **rejected
		clean.Detail = r.text(clean.Detail)
		*rejected = &clean
	}
	return true
}

// connectStep calls Connect of a driver. Its error contains no answer, no state and no secret of an account.
func connectStep(ctx context.Context, provider device.Provider, step device.Step) (device.Pane, error) {
	pane, err := provider.Connect(ctx, step)
	if err == nil {
		return pane, nil
	}
	secrets := []string{step.State.Reveal()}
	for _, answer := range step.Answers {
		secrets = append(secrets, answer.Reveal())
	}
	if step.Reconnect != nil {
		secrets = append(secrets, step.Reconnect.Secret.Reveal())
	}
	return device.Pane{}, newRedactor(secrets...).error(err)
}
