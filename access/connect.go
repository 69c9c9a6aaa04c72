package access

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/validation"
)

// ConnectPeriod is the time that a customer has for connecting an account, from the first step to the last.
const ConnectPeriod = 30 * time.Minute

// MaxAccounts is the greatest number of accounts of a customer.
const MaxAccounts = 100

// MaxConnectState is the greatest size of [ConnectPane.State] in bytes.
const MaxConnectState = device.MaxStateBytes + 1024

// Bounds of the answers in a step.
const (
	maxAnswers     = 100
	maxAnswerBytes = 64 << 10 // of all names and values together
)

// ConnectStep is one step of connecting an account.
type ConnectStep struct {
	Provider string // the key of the provider

	// State is the State of the last pane, or empty for the first step.
	State []byte

	// Answers contains the values of the fields of the last form, by name. After a redirect, it contains the query parameters with
	// which the browser came back. At most 100, with 64 KiB in all.
	Answers map[string]device.Secret

	// ReturnURL is the URL to which a provider with a login of its own sends the browser back. It is the same for all steps.
	ReturnURL string

	// Reconnect is the account to connect again, or the zero id for a new one. It is the same for all steps.
	Reconnect uuid.UUID

	// Operator means that the answers are configuration of the operator of this program. Then the addresses in them are not limited
	// to those that customers may enter, see [device.Step]. Do not set it if the answers come from a customer. It is the same for
	// all steps.
	Operator bool

	// Within, if it is not nil, is called in the transaction that stores the account, after it was stored. If Within returns an error,
	// the account is not stored, and Connect returns the error. It may run more than once.
	Within func(context.Context, data.CustomerTx, Account) error
}

// ConnectPane is the result of a step. Exactly one of Form, Redirect and Account is set.
type ConnectPane struct {
	Form     *device.Form // to be filled in
	Redirect string       // the URL of the provider's own login
	Account  *Account     // connected; the last pane

	// State is passed to the next step. It is sealed, has at most [MaxConnectState] bytes, and belongs to this customer, provider and
	// Reconnect. The caller stores it; if it gives it to a browser, the browser can repeat a step, but cannot read or change it.
	State []byte
}

// connectState is the sealed part of a connection between two steps.
type connectState struct {
	StartedAt time.Time `json:"at"`
	Driver    []byte    `json:"driver,omitempty"`
}

// Connect performs one step of connecting an account of the customer of the scope, and returns the next pane. The last pane has
// the account, which is stored then. If the customer has already connected this login, hub or server, that account gets the new
// secret and keeps its id and its devices.
//
// Wrong answers are no error: the pane has the form again, with the faults in it. Connect returns a [validation.Error] for an
// unknown provider, too many answers or accounts, and a state that does not belong to this connection; [ErrConnectExpired]; [ErrOtherAccount];
// [ErrAccountNotFound] for Reconnect; [data.ErrCustomerNotFound]; [device.ErrOffline] if the provider cannot be reached; and other
// errors of the driver.
func (c *Scope) Connect(ctx context.Context, step ConnectStep) (ConnectPane, error) {
	customer, err := c.customerID(ctx)
	if err != nil {
		return ConnectPane{}, err
	}
	provider := c.s.provider(step.Provider)
	switch {
	case provider == nil:
		return ConnectPane{}, invalid("provider", validation.RuleFormat, nil, "is not one of the providers of this service")
	case len(step.Answers) > maxAnswers:
		return ConnectPane{}, invalid("answers", validation.RuleTooMany, nil, "has %d answers, and may have %d", len(step.Answers), maxAnswers)
	}
	size := 0
	for name, answer := range step.Answers {
		size += len(name) + len(answer.Reveal())
	}
	if size > maxAnswerBytes {
		return ConnectPane{}, invalid("answers", validation.RuleRange, nil, "have %d bytes, and may have %d", size, maxAnswerBytes)
	}
	next := device.Step{Answers: step.Answers, ReturnURL: step.ReturnURL, Operator: step.Operator}
	if step.Reconnect != uuid.Nil {
		if next.Reconnect, err = c.reconnected(ctx, step); err != nil {
			return ConnectPane{}, err
		}
	}
	binding := c.connectKey(customer, step)
	state := connectState{StartedAt: c.s.db.Now()}
	if len(step.State) > 0 {
		if state, err = c.openState(step.State, binding); err != nil {
			return ConnectPane{}, err
		}
		next.State = device.NewSecret(string(state.Driver))
	}
	pane, err := connectStep(ctx, provider, next)
	if err != nil {
		if errors.Is(err, device.ErrInvalid) {
			return ConnectPane{}, invalid("answers", validation.RuleFormat, err, "the step does not belong to the last pane: start again")
		}
		return ConnectPane{}, fmt.Errorf("access: connecting an account of provider %q: %w", step.Provider, err)
	}
	switch {
	case pane.Done != nil:
		a, err := c.connected(ctx, customer, step, *pane.Done)
		return ConnectPane{Account: &a}, err
	case (pane.Form == nil) == (pane.Redirect == ""):
		return ConnectPane{}, fmt.Errorf("access: provider %q returned a pane that has not exactly one of a form, a redirect and an account", step.Provider)
	}
	state.Driver = []byte(pane.State.Reveal())
	if len(state.Driver) > device.MaxStateBytes {
		return ConnectPane{}, fmt.Errorf("access: provider %q returned a state of %d bytes; at most %d are allowed", step.Provider, len(state.Driver), device.MaxStateBytes)
	}
	sealed, err := c.s.keys.Seal(keys.PurposeConnect, binding, state.encode(), c.s.db.Rand())
	return ConnectPane{Form: pane.Form, Redirect: pane.Redirect, State: sealed}, err
}

// reconnected returns the account to connect again, without its secret if that cannot be opened.
func (c *Scope) reconnected(ctx context.Context, step ConnectStep) (*device.Account, error) {
	row, err := c.accountRow(ctx, step.Reconnect)
	if err != nil {
		return nil, err
	}
	if row.Provider != step.Provider {
		return nil, invalid("reconnect", validation.RuleFormat, nil, "is an account of the provider %q", row.Provider)
	}
	a := &device.Account{ID: row.ExternalID, Name: row.Name}
	if secret, err := c.s.keys.Open(keys.PurposeAccount, devicedata.SecretKey(row.ID), row.SealedSecret); err == nil {
		a.Secret = device.NewSecret(string(secret)) // a driver only fills in forms with it
	}
	return a, nil
}

// connectKey returns the additional data of a sealed state, which binds the state to one connection.
func (c *Scope) connectKey(customer devicedata.CustomerID, step ConnectStep) []byte {
	workspace := c.w.ID()
	b := append([]byte("connect"), workspace[:]...)
	b = append(b, customer[:]...)
	b = append(b, step.Reconnect[:]...)
	return append(b, step.Provider...)
}

// encode appends the state of the driver to the time, so that it needs no escaping.
func (s connectState) encode() []byte {
	return append(encode(connectState{StartedAt: s.StartedAt}), s.Driver...)
}

func (c *Scope) openState(sealed, binding []byte) (connectState, error) {
	plain, err := c.s.keys.Open(keys.PurposeConnect, binding, sealed)
	if err != nil {
		return connectState{}, invalid("state", validation.RuleFormat, err, "does not belong to this connection: start again")
	}
	var state connectState
	end := json.NewDecoder(bytes.NewReader(plain))
	if err := end.Decode(&state); err != nil {
		return connectState{}, fmt.Errorf("access: decoding the state of a connection: %w", err)
	}
	state.Driver = plain[end.InputOffset():]
	if age := c.s.db.Now().Sub(state.StartedAt); age > ConnectPeriod {
		return connectState{}, ErrConnectExpired
	}
	return state, nil
}

// connected stores an account that the driver has connected.
func (c *Scope) connected(ctx context.Context, customer devicedata.CustomerID, step ConnectStep, account device.Account) (Account, error) {
	id, err := c.s.newID()
	if err != nil {
		return Account{}, err
	}
	if account.ID == "" || len(account.ID) > device.MaxIDBytes || len(account.Secret.Reveal()) > device.MaxSecretBytes {
		return Account{}, fmt.Errorf("access: provider %q returned an account whose id or secret is too long, or without an id", step.Provider)
	}
	var stored devicedata.Account
	var out Account
	err = c.within(ctx, customer, func(ctx context.Context, tx data.CustomerTx) error {
		old, n, err := sameAccount(ctx, tx, customer, step.Provider, account.ID)
		if err != nil {
			return err
		}
		if old == nil && n >= MaxAccounts {
			return invalid("connected_accounts", validation.RuleTooMany, nil, "the customer has %d accounts, and may have %d", n, MaxAccounts)
		}
		if step.Reconnect != uuid.Nil && (old == nil || old.ID != step.Reconnect) {
			return ErrOtherAccount
		}
		now := c.s.now()
		details := accountDetails{Status: AccountConnecting, StatusSince: now}
		write := devicedata.CreateAccount
		stored = devicedata.Account{ID: id, Provider: step.Provider, ExternalID: account.ID, CreatedAt: now}
		if old != nil {
			var before accountDetails
			if err := decode("the details of an account", old.Details, &before); err != nil {
				return err
			}
			details.FirstSyncAt, details.Connects, details.Settings = before.FirstSyncAt, before.Connects+1, before.Settings
			write, stored = devicedata.UpdateAccount, *old
		}
		stored.Name, stored.Details = cmp.Or(details.Settings.Name, device.Label(account.Name)), encode(details)
		if stored.SealedSecret, err = c.s.seal(stored.ID, account.Secret.Reveal()); err != nil {
			return err
		}
		if err := write(ctx, tx, stored); err != nil {
			return err
		}
		if out, err = newAccount(tx.Customer.Key, &stored); err != nil || step.Within == nil {
			return err
		}
		return step.Within(ctx, tx, out)
	})
	if err != nil {
		return Account{}, err
	}
	c.s.accounts.set()
	return out, nil
}

// sameAccount returns the customer's account with this id at the provider, or nil, and the number of the customer's accounts.
func sameAccount(ctx context.Context, tx data.CustomerTx, customer devicedata.CustomerID, provider, externalID string) (same *devicedata.Account, n int, err error) {
	for a, err := range devicedata.Accounts(ctx, tx.Snapshot, customer) {
		if err != nil {
			return nil, 0, err
		}
		n++
		if a.Provider == provider && a.ExternalID == externalID {
			same = a
		}
	}
	return same, n, nil
}
