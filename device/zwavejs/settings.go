package zwavejs

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/device"
)

// settings are the answers to the form. The secret of an account is their JSON form.
type settings struct {
	URL      string `json:"url"`
	Operator bool   `json:"operator,omitempty"` // the settings are not from a customer: any address is allowed

	host, port string
}

const fieldURL = "url"

// form returns the empty form, or the form with the settings of the account to connect again. A customer does not see the settings of
// the operator.
func form(reconnect *device.Account, operator bool) device.Form {
	var old settings
	if reconnect != nil {
		if s, err := parseSecret(reconnect.Secret); err == nil && (operator || !s.Operator) {
			old = s
		}
	}
	return device.Form{Fields: []device.Field{{
		Name: fieldURL, Label: "Address of the Z-Wave JS server", Help: "ws://host:3000, or wss:// with encryption",
		Kind: device.FieldURL, Value: old.URL,
	}}}
}

// problem returns the form with a problem of the address.
func problem(f device.Form, p device.Problem, message string) device.Pane {
	f.Fields[0].Problem, f.Fields[0].Message = p, message
	return device.Pane{Form: &f}
}

// parseSecret returns the settings in the secret of an account.
func parseSecret(secret device.Secret) (settings, error) {
	var s settings
	if err := json.Unmarshal([]byte(secret.Reveal()), &s); err != nil {
		return settings{}, errors.New("zwavejs: the secret of the account is not from this driver") // err may quote it
	}
	if message := s.check(); message != "" {
		return settings{}, errors.New("zwavejs: the secret of the account: " + message)
	}
	return s, nil
}

// check completes the settings. It returns a message about a fault, or an empty text.
func (s *settings) check() string {
	const example = "Enter an address such as ws://192.0.2.7:3000."
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return example
	case u.User != nil:
		return "The address must not contain a user name or a password."
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "The address must not contain ? or #."
	}
	s.host, s.port = u.Hostname(), u.Port()
	if _, err := netip.ParseAddr(s.host); err != nil && strings.ContainsAny(s.host, ":[]%") {
		return example
	}
	defaults := map[string]string{"ws": "3000", "wss": "443"}
	if defaults[u.Scheme] == "" {
		return "The address must begin with ws:// or wss://."
	}
	if s.port == "" {
		s.port = defaults[u.Scheme]
	}
	if n, err := strconv.ParseUint(s.port, 10, 16); err != nil || n == 0 {
		return example
	}
	u.Host = s.address()
	s.URL = u.String()
	return ""
}

// address returns the host and the port.
func (s *settings) address() string { return net.JoinHostPort(s.host, s.port) }

// secret returns the settings as the secret of an account.
func (s *settings) secret() device.Secret {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string and a boolean only
	}
	return device.NewSecret(string(text))
}
