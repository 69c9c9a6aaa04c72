package zigbee2mqtt

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/customerportal-go/customerportal/device"
)

const defaultBaseTopic = "zigbee2mqtt"

// settings are the answers to the form. The secret of an account is their JSON form.
type settings struct {
	URL       string `json:"url"`
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty"`
	BaseTopic string `json:"base_topic"`
	Operator  bool   `json:"operator,omitempty"` // the settings are not from a customer: any address is allowed

	host, port string
	tls        bool
}

// The names of the fields of the form.
const (
	fieldURL       = "url"
	fieldUsername  = "username"
	fieldPassword  = "password"
	fieldBaseTopic = "base_topic"
)

// form returns the empty form, or the form with the settings of the account to connect again, without its password. A customer does not
// see the settings of the operator.
func form(reconnect *device.Account, operator bool) device.Form {
	old := settings{BaseTopic: defaultBaseTopic}
	if reconnect != nil {
		if s, err := parseSecret(reconnect.Secret); err == nil && (operator || !s.Operator) {
			old = s
		}
	}
	return device.Form{Fields: []device.Field{
		{Name: fieldURL, Label: "Address of the MQTT broker", Help: "mqtt://host:1883, or mqtts://host:8883 with encryption", Kind: device.FieldURL, Value: old.URL},
		{Name: fieldUsername, Label: "User name", Kind: device.FieldText, Optional: true, Value: old.Username},
		{Name: fieldPassword, Label: "Password", Kind: device.FieldSecret, Optional: true},
		{Name: fieldBaseTopic, Label: "Base topic", Help: "The base_topic of Zigbee2MQTT. It is zigbee2mqtt unless it was changed.", Kind: device.FieldText, Optional: true, Value: old.BaseTopic},
	}}
}

// problem returns the form with a problem of one field, or of the form as a whole if name is empty.
func problem(f device.Form, name string, p device.Problem, message string) device.Pane {
	if name == "" {
		f.Problem, f.Message = p, message
	}
	for i := range f.Fields {
		if f.Fields[i].Name == name {
			f.Fields[i].Problem, f.Fields[i].Message = p, message
		}
	}
	return device.Pane{Form: &f}
}

// parseSecret returns the settings in the secret of an account.
func parseSecret(secret device.Secret) (settings, error) {
	var s settings
	if err := json.Unmarshal([]byte(secret.Reveal()), &s); err != nil {
		return settings{}, errors.New("zigbee2mqtt: the secret of the account is not from this driver") // err may quote it
	}
	if field, message := s.check(); field != "" {
		return settings{}, errors.New("zigbee2mqtt: the secret of the account: " + field + ": " + message)
	}
	return s, nil
}

// check completes the settings. It returns the field with a fault, and a message about it, or empty texts.
func (s *settings) check() (field, message string) {
	const example = "Enter an address such as mqtt://192.0.2.7:1883."
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return fieldURL, example
	case u.User != nil:
		return fieldURL, "Enter the user name and the password in their own fields."
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return fieldURL, "The address must end after the port."
	}
	s.host, s.port = u.Hostname(), u.Port()
	if _, err := netip.ParseAddr(s.host); err != nil && strings.ContainsAny(s.host, ":[]%") {
		return fieldURL, example
	}
	switch u.Scheme {
	case "mqtt":
		s.tls = false
		s.port = orText(s.port, "1883")
	case "mqtts":
		s.tls = true
		s.port = orText(s.port, "8883")
	default:
		return fieldURL, "The address must begin with mqtt:// or mqtts://."
	}
	if n, err := strconv.ParseUint(s.port, 10, 16); err != nil || n == 0 {
		return fieldURL, example
	}
	if s.BaseTopic == "" {
		s.BaseTopic = defaultBaseTopic
	}
	if len(s.BaseTopic) > 200 || !usableTopic(s.BaseTopic) || strings.Trim(s.BaseTopic, "/") != s.BaseTopic {
		return fieldBaseTopic, "A base topic has at most 200 characters, without +, # and $, and without a slash at its ends."
	}
	return "", ""
}

func orText(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

// address returns the host and the port.
func (s *settings) address() string { return net.JoinHostPort(s.host, s.port) }

// secret returns the settings as the secret of an account.
func (s *settings) secret() device.Secret {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings only
	}
	return device.NewSecret(string(text))
}

// maxTopic bounds the topics that the driver uses.
const maxTopic = 1024

// usableTopic reports whether a client can publish to a topic and subscribe to exactly this topic.
func usableTopic(topic string) bool {
	return topic != "" && len(topic) <= maxTopic && utf8.ValidString(topic) && topic[0] != '$' &&
		!strings.ContainsFunc(topic, func(r rune) bool { return r == '+' || r == '#' || unicode.IsControl(r) })
}
