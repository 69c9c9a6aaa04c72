package devicetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var secretChecks = []check{
	{"no error, event, value or log record contains a secret", func(s *suite) {
		c, coder, limits := s.openLock()
		var printed []string
		keep := func(what string, values ...any) {
			for _, v := range values {
				printed = append(printed, fmt.Sprintf("%s: %+v", what, v), fmt.Sprintf("%s: %v", what, v))
			}
		}
		w := s.watch(c)
		pins := []device.Secret{s.pin(limits, 0), s.pin(limits, 1)}
		set := func(slot, pin int) {
			keep("error of SetCode", coder.SetCode(s.ctx, s.Lock, device.Slot{Index: s.Slots[slot], PIN: pins[pin], Name: "Test"}))
		}
		set(0, 0)
		set(1, 0) // a duplicate
		tooLong := device.NewSecret(pins[0].Reveal() + "7391846205173")
		pins = append(pins, tooLong, device.NewSecret("x"+pins[1].Reveal()))
		set(2, 2)
		set(2, 3)
		if s.Hooks.Deaf != nil {
			s.Hooks.Deaf(s.Lock, true)
			set(2, 1)
			s.Hooks.Deaf(s.Lock, false)
		}
		if s.Hooks.Offline != nil {
			s.Hooks.Offline(s.Lock, true)
			set(2, 1)
			s.Hooks.Offline(s.Lock, false)
		}
		slots, err := coder.Codes(s.ctx, s.Lock)
		keep("Codes", slots, err)
		keep("device", s.find(c, s.Lock))
		wrong := s.account()
		keep("account", wrong)
		wrong.Secret = device.NewSecret("wrong " + wrong.Secret.Reveal())
		other, err := s.Provider.Open(s.ctx, wrong)
		keep("error of Open", err)
		if err == nil {
			require.NoError(s, other.Close(), "Close")
		}
		secrets := []string{s.account().Secret.Reveal(), wrong.Secret.Reveal()}
		for _, answers := range s.allAnswers() {
			pane, err := s.Provider.Connect(s.ctx, device.Step{Answers: asAnswers(answers)})
			keep("pane", pane, err)
			if pane.Form != nil {
				keep("form", *pane.Form)
			}
		}
		keep("event", w.all())
		if s.Logs != nil {
			printed = append(printed, "log: "+s.Logs())
		}
		for _, p := range pins {
			secrets = append(secrets, p.Reveal())
		}
		secrets = append(secrets, s.secretAnswers()...)
		for _, text := range printed {
			for _, secret := range secrets {
				if len(secret) >= 4 && strings.Contains(text, secret) {
					s.Fatalf("a secret is printed in this text: %s", text)
				}
			}
		}
	}},
}

// allAnswers returns the right and the wrong answers of the world.
func (s *suite) allAnswers() []map[string]string {
	return slices.Concat(s.Answers, []map[string]string{s.WrongAnswers})
}

// secretAnswers returns the answers to secret fields of the first form.
func (s *suite) secretAnswers() []string {
	s.Helper()
	pane, err := s.Provider.Connect(s.ctx, device.Step{})
	require.NoError(s, err, "Connect with the zero Step")
	var secrets []string
	if pane.Form == nil {
		return nil
	}
	for _, f := range pane.Form.Fields {
		for _, answers := range s.allAnswers() {
			if f.Kind == device.FieldSecret && answers[f.Name] != "" {
				secrets = append(secrets, answers[f.Name])
			}
		}
	}
	return secrets
}
