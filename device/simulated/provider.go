package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// Key is the key of the simulated provider, see [device.Info].
const Key = "simulated"

type provider struct {
	world  *World
	caller string
}

// Provider returns a driver for the devices of the world. caller is the name of its calls in [Call.Caller].
func (w *World) Provider(caller string) device.Provider { return &provider{w, caller} }

func (p *provider) Info() device.Info {
	return device.Info{Key: Key, Name: "Simulated devices", Capabilities: []device.Capability{
		device.CanLock, device.CanUnlock, device.CanProgram, device.CanSetClimate, device.ReportsLock, device.ReportsDoor,
		device.ReportsBattery, device.ReportsTemperature, device.ReportsHumidity, device.ReportsNoise, device.ReportsLeak,
		device.ReportsSmoke, device.ReportsOccupancy,
	}}
}

// State of a pane that asks for the second factor: the prefix, and the user whose password was right.
const stateCode = "code:"

func (p *provider) Connect(ctx context.Context, s device.Step) (device.Pane, error) {
	if err := ctx.Err(); err != nil {
		return device.Pane{}, err
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	state := s.State.Reveal()
	user, second := strings.CutPrefix(state, stateCode)
	switch {
	case state == "" && len(s.Answers) == 0:
		return device.Pane{Form: loginForm(s)}, nil
	case state == "":
		return w.connectPassword(s)
	case second && w.logins[user] != nil:
		return w.connectCode(s, w.logins[user])
	}
	return device.Pane{}, fmt.Errorf("%w: the step does not belong to a pane", device.ErrInvalid)
}

func loginForm(s device.Step) *device.Form {
	user := ""
	if s.Reconnect != nil {
		user = s.Reconnect.Name
	}
	return &device.Form{Fields: []device.Field{
		{Name: "username", Label: "User name", Kind: device.FieldText, Value: user},
		{Name: "password", Label: "Password", Kind: device.FieldSecret},
	}}
}

func (w *World) connectPassword(s device.Step) (device.Pane, error) {
	form, ok := loginForm(s).Check(s.Answers)
	if !ok {
		return device.Pane{Form: &form}, nil
	}
	l := w.logins[s.Answers["username"].Reveal()]
	switch {
	case l == nil || s.Answers["password"] != device.NewSecret(l.Password):
		form.Problem, form.Message = device.ProblemCredentials, "The user name or the password is wrong."
		return device.Pane{Form: &form}, nil
	case l.outage:
		return device.Pane{}, fmt.Errorf("%w: the simulated provider has an outage", device.ErrOffline)
	case l.SecondFactor != "":
		return device.Pane{Form: codeForm(), State: device.NewSecret(stateCode + l.User)}, nil
	}
	account := w.account(l)
	return device.Pane{Done: &account}, nil
}

func codeForm() *device.Form {
	return &device.Form{
		Message: "Enter the code that you received.",
		Fields:  []device.Field{{Name: "code", Label: "Code", Kind: device.FieldCode}},
	}
}

func (w *World) connectCode(s device.Step, l *login) (device.Pane, error) {
	form, ok := codeForm().Check(s.Answers)
	switch {
	case !ok:
		return device.Pane{Form: &form, State: s.State}, nil
	case l.outage:
		return device.Pane{}, fmt.Errorf("%w: the simulated provider has an outage", device.ErrOffline)
	case s.Answers["code"] != device.NewSecret(l.SecondFactor):
		form.Problem, form.Message = device.ProblemCode, "The code is wrong."
		return device.Pane{Form: &form, State: s.State}, nil
	}
	account := w.account(l)
	return device.Pane{Done: &account}, nil
}

// account returns the account of a login. Its secret is the user and a token, which depends only on the seed and the
// login, so that a world that is built again after a restart accepts it.
func (w *World) account(l *login) device.Account {
	return device.Account{ID: l.AccountID, Name: l.User, Secret: device.NewSecret(l.User + ":" + w.token(l))}
}

func (w *World) token(l *login) string {
	seed := binary.BigEndian.AppendUint64(nil, w.options.Seed)
	sum := sha256.Sum256(fmt.Appendf(seed, "%q %q %d", l.User, l.Password, l.revoked))
	return hex.EncodeToString(sum[:16])
}

func (p *provider) Open(ctx context.Context, a device.Account) (device.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	at := strings.LastIndex(a.Secret.Reveal(), ":")
	if at < 0 {
		return nil, fmt.Errorf("%w: the secret of account %q is not from this provider", device.ErrAccountLost, a.ID)
	}
	l := w.logins[a.Secret.Reveal()[:at]]
	switch {
	case l == nil || l.AccountID != a.ID:
		return nil, fmt.Errorf("%w: there is no account %q", device.ErrAccountLost, a.ID)
	case l.outage:
		return nil, fmt.Errorf("%w: the simulated provider has an outage", device.ErrOffline)
	case a.Secret.Reveal()[at+1:] != w.token(l):
		return nil, fmt.Errorf("%w: the session of account %q has ended", device.ErrAccountLost, a.ID)
	}
	c := &conn{world: w, login: l, caller: p.caller, changed: make(chan struct{})}
	l.conns[c] = struct{}{}
	return c, nil
}
