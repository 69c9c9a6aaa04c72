package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// timeChange is a new time, or no time if the parameter is null.
type timeChange struct {
	Time  time.Time
	Given bool
}

// timeChangeParam reads a time that may be null.
var timeChangeParam = param[timeChange]{func() schema { return nullable(timeSchema()) }, func(o *jsonobject.Object, name string) timeChange {
	return timeChange{timeParam.read(o, name), o.Given(name)}
}, func(timeChange) any { return nil }}

// requestedMethods are the access methods of a request. Only PINs exist.
type requestedMethods struct {
	pin   string
	other string // the mode of a method that does not exist
}

// methodsParam reads requested_access_methods.
var methodsParam = param[requestedMethods]{func() schema {
	return withKeyword(arrayOf(object(map[string]schema{
		"mode": enumOf(methodCode, "card", "mobile_key", "cloud_key"), "code": patternSchema(textrules.AccessCodePattern),
		"instant_key_max_use_count": withKeyword(integerSchema(), "minimum", 1),
	}, "mode")), "minItems", 1)
}, func(o *jsonobject.Object, name string) (out requestedMethods) {
	count := 0
	given := o.Objects(name, maxIDs, func() {}, func(m *jsonobject.Object) {
		count++
		var mode string
		var uses int
		m.Require("mode")
		m.Text("mode", &mode)
		m.Int("instant_key_max_use_count", &uses, 1, maxIDs)
		switch mode {
		case methodCode:
			if pin := pinParam.read(m, "code"); pin != "" && out.pin != "" && pin != out.pin {
				m.Fault("code", validation.RuleFormat, "differs from the code of another requested access method: an access grant has one PIN")
			} else if pin != "" {
				out.pin = pin
			}
		case "card", "mobile_key", "cloud_key":
			out.other = mode
			m.Ignore("code")
		default:
			if m.Has("mode") {
				m.Fault("mode", validation.RuleFormat, "must be one of [code card mobile_key cloud_key]")
			}
			m.Ignore("code")
		}
		refuseUnread(m, "an access method")
	})
	if given && count == 0 {
		o.Fault(name, validation.RuleRequired, "is empty: give an access method of the mode code")
	}
	return out
}, func(requestedMethods) any { return nil }}

// check returns an error for an access method that does not exist.
func (m requestedMethods) check() error {
	if m.other == "" {
		return nil
	}
	return &apiError{
		status: http.StatusNotImplemented, kind: typeNotSupported,
		message: fmt.Sprintf("Access methods of the mode %s are not supported: request one of the mode code", m.other),
	}
}

// pinParam reads the PIN of an access grant.
var pinParam = param[string]{func() schema { return patternSchema(textrules.AccessCodePattern) }, func(o *jsonobject.Object, name string) string {
	s := readNonEmpty(o, name)
	if s != "" && !textrules.IsAccessCode(s) {
		o.Fault(name, validation.RuleFormat, "must have 4 to 9 digits")
	}
	return s
}, func(string) any { return nil }}

// newUserParam reads the details of a new user identity.
var newUserParam = param[*data.UserIdentity]{func() schema {
	return object(map[string]schema{
		"user_identity_key": nullable(keySchema()), "full_name": nullable(textSchema()), "email_address": nullable(textSchema()), "phone_number": nullable(textSchema()),
	})
}, func(o *jsonobject.Object, name string) (user *data.UserIdentity) {
	o.Object(name, func() {}, func(m *jsonobject.Object) {
		user = &data.UserIdentity{Kind: data.KindUserIdentity, Key: keyParam.read(m, "user_identity_key")}
		for name, into := range map[string]*string{"full_name": &user.Name, "email_address": &user.EmailAddress, "phone_number": &user.PhoneNumber} {
			m.Text(name, into)
		}
		if user.Name = cmp.Or(user.Name, user.EmailAddress, user.PhoneNumber); user.Name == "" {
			m.Fault("full_name", validation.RuleRequired, "is required, unless there is an e-mail address or a phone number")
		}
		refuseUnread(m, "user_identity")
	})
	return user
}, func(*data.UserIdentity) any { return nil }}

// locationParam reads the older form of the places of a grant, which this library does not have.
var locationParam = param[foreignFilter]{func() schema {
	return object(map[string]schema{"name": textSchema(), "device_ids": arrayOf(idSchema()), "acs_entrance_ids": arrayOf(idSchema())})
}, func(o *jsonobject.Object, name string) (f foreignFilter) {
	o.Object(name, func() {}, func(m *jsonobject.Object) {
		for _, member := range m.Names() {
			f = foreignFilter{name, member}
		}
		m.Ignore(m.Names()...)
	})
	return f
}, func(foreignFilter) any { return nil }}
