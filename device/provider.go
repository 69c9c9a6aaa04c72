package device

import "context"

// MaxStateBytes is the greatest size of [Pane.State].
const MaxStateBytes = 4096

// MaxSecretBytes is the greatest size of [Account.Secret].
const MaxSecretBytes = 16384

// Provider is a driver for one device ecosystem. Its methods may be called concurrently. A Provider has no state that
// matters: if one process began to connect an account, any process with the same Provider can perform the next step,
// and can open the account.
type Provider interface {
	// Info describes the provider. It is always the same and does no I/O.
	Info() Info

	// Connect performs one step of connecting an account, and returns the next pane to show. The first step is the zero
	// Step, with ReturnURL and Reconnect where they apply. Wrong answers are no error: Connect returns the form again,
	// with the faults in it. If the provider does not answer at an address that the customer entered, that is a wrong
	// answer too, see [ProblemUnreachable]. Connect returns an error only for a fault that the customer cannot correct:
	// [ErrOffline] if a provider whose address the customer did not enter cannot be reached, and [ErrInvalid] for a
	// step that does not belong to the last pane.
	//
	// Connect does not create anything at the provider that would have to be removed if the customer gives up.
	Connect(ctx context.Context, s Step) (Pane, error)

	// Open opens a connection to an account. ctx limits Open only, not the Conn. Open returns [ErrAccountLost] if the
	// provider refuses the secret, and [ErrOffline] if it cannot be reached. It may also succeed without contacting
	// the provider; then the methods of the Conn return these errors.
	Open(ctx context.Context, a Account) (Conn, error)
}

// Info describes a provider.
type Info struct {
	// Key identifies the provider: lower-case letters, digits and underscores, for example "zigbee2mqtt". Accounts are
	// stored with it.
	Key string

	// Name is the name to show, for example "Zigbee2MQTT".
	Name string

	// Capabilities lists the capabilities that devices of this provider may have.
	Capabilities []Capability
}

// Account is a connected account. ID and Name are not secret.
type Account struct {
	// ID identifies the account at the provider, at most [MaxIDBytes] bytes. Connecting the same login, hub or server
	// again yields the same ID, even if another customer connects it or its password has changed. The same applies if
	// its address has changed, provided that the driver can recognize it.
	ID string

	// Name is the name to show, for example the user name or the address of the server, see [Label].
	Name string

	// Secret contains everything else that Open needs, in a format that the driver chooses. It has at most
	// [MaxSecretBytes].
	Secret Secret
}

// Step is the input of one step of connecting an account.
type Step struct {
	// State is the State of the last pane, unchanged. The caller keeps it from the customer.
	State Secret

	// Answers contains the values of the fields of the last form, by name. After a redirect, it contains the query
	// parameters with which the browser came back.
	Answers map[string]Secret

	// ReturnURL is the URL to which a provider with a login of its own sends the browser back. It is the same for all
	// steps, and is empty if the caller cannot redirect.
	ReturnURL string

	// Reconnect is the account to connect again, or nil for a new one. It is the same for all steps. Drivers use it to
	// fill in forms. The customer may connect another account all the same; the caller compares the ids.
	Reconnect *Account

	// Operator means that the answers are configuration of the operator of the program, and that no customer entered
	// them. It is the same for all steps. A driver with a list of the addresses that customers may enter does not apply
	// it to such an account, which it recognizes later by a mark in Account.Secret.
	Operator bool
}

// Pane is the result of a step. Exactly one of Form, Redirect and Done is set.
type Pane struct {
	Form     *Form    // to be filled in
	Redirect string   // the URL of the provider's own login
	Done     *Account // connected

	// State is passed to the next step. It has at most [MaxStateBytes], in a format that the driver chooses, and may
	// contain secrets.
	State Secret
}
