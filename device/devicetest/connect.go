package devicetest

import (
	"errors"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

var connectChecks = []check{
	{"the description of the provider is complete", func(s *suite) {
		info := s.Provider.Info()
		require.Regexp(s, `^[a-z][a-z0-9_]{0,49}$`, info.Key, "Info.Key")
		require.NotEmpty(s, info.Name, "Info.Name")
		require.Equal(s, device.Label(info.Name), info.Name, "Info.Name is a label")
		require.NotEmpty(s, info.Capabilities, "Info.Capabilities")
		require.Equal(s, info, s.Provider.Info(), "Info is always the same")
	}},
	{"the first pane asks for something", func(s *suite) {
		pane, err := s.Provider.Connect(s.ctx, device.Step{})
		require.NoError(s, err, "Connect with the zero Step")
		require.Nil(s, pane.Done, "the first pane is not an account")
		require.True(s, (pane.Form != nil) != (pane.Redirect != ""), "the first pane is either a form or a redirect")
		if pane.Form == nil {
			return
		}
		require.Empty(s, pane.Form.Problem, "problem of the first form")
		names := map[string]bool{}
		for _, f := range pane.Form.Fields {
			require.NotEmpty(s, f.Name, "name of a field")
			require.NotEmpty(s, f.Label, "label of field %q", f.Name)
			require.False(s, names[f.Name], "there is one field %q", f.Name)
			names[f.Name] = true
		}
	}},
	{"right answers lead to an account", func(s *suite) {
		s.need("World.Answers", len(s.Answers) > 0)
		a := s.connect(nil)
		require.NotEmpty(s, a.ID, "Account.ID")
		require.LessOrEqual(s, len(a.ID), device.MaxIDBytes, "size of Account.ID")
		require.Equal(s, device.Label(a.Name), a.Name, "Account.Name is a label")
		require.LessOrEqual(s, len(a.Secret.Reveal()), device.MaxSecretBytes, "size of Account.Secret")
		s.Account = a
		require.NotEmpty(s, s.inventory(s.open()), "devices of the account")
	}},
	{"connecting again yields the same account id", func(s *suite) {
		s.need("World.Answers", len(s.Answers) > 0)
		first := s.connect(nil)
		require.Equal(s, first.ID, s.connect(nil).ID, "id of the account that was connected a second time")
		require.Equal(s, first.ID, s.connect(&first).ID, "id of the account that was reconnected")
	}},
	{"a missing answer returns the form with the field marked", func(s *suite) {
		pane, err := s.Provider.Connect(s.ctx, device.Step{})
		require.NoError(s, err, "Connect with the zero Step")
		if pane.Form == nil {
			s.Skip("the first pane is not a form")
		}
		for _, f := range pane.Form.Fields {
			if f.Optional {
				continue
			}
			answers := map[string]device.Secret{f.Name: {}}
			again, err := s.Provider.Connect(s.ctx, device.Step{State: pane.State, Answers: answers})
			require.NoError(s, err, "Connect without an answer to field %q", f.Name)
			require.NotNil(s, again.Form, "the form is returned again")
			marked := false
			for _, g := range again.Form.Fields {
				marked = marked || g.Name == f.Name && g.Problem == device.ProblemMissing
			}
			require.True(s, marked, "field %q has the problem %q", f.Name, device.ProblemMissing)
		}
	}},
	{"wrong answers return the form with a problem", func(s *suite) {
		s.need("World.WrongAnswers", len(s.WrongAnswers) > 0)
		pane, err := s.Provider.Connect(s.ctx, device.Step{})
		require.NoError(s, err, "Connect with the zero Step")
		again, err := s.Provider.Connect(s.ctx, device.Step{State: pane.State, Answers: asAnswers(s.WrongAnswers)})
		require.NoError(s, err, "Connect with wrong answers returns no error")
		require.Nil(s, again.Done, "wrong answers lead to no account")
		require.NotNil(s, again.Form, "the form is returned again")
		problems := string(again.Form.Problem)
		for _, f := range again.Form.Fields {
			problems += string(f.Problem)
			if f.Kind == device.FieldSecret || f.Kind == device.FieldCode {
				require.Empty(s, f.Value, "value of the secret field %q", f.Name)
			}
		}
		require.NotEmpty(s, problems, "the form or one of its fields has a problem")
	}},
	{"a step that belongs to no pane is an error", func(s *suite) {
		_, err := s.Provider.Connect(s.ctx, device.Step{
			State:   device.NewSecret(strings.Repeat("\x00{", 50)),
			Answers: map[string]device.Secret{"no such field": device.NewSecret("x")},
		})
		require.ErrorIs(s, err, device.ErrInvalid, "Connect with a foreign state")
	}},
	{"an account with a wrong secret is lost", func(s *suite) {
		a := s.account()
		a.Secret = device.NewSecret("not the secret of this account")
		c, err := s.Provider.Open(s.ctx, a)
		if err == nil {
			_, err = collect(s.ctx, c)
			require.NoError(s, c.Close(), "Close")
		}
		if !errors.Is(err, device.ErrAccountLost) {
			s.Fatalf("Open or Devices with a wrong secret: the error must be ErrAccountLost, but is: %v", err)
		}
	}},
}
