package data

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// customerFields are the fields of a customer except its key.
type customerFields struct{ name, timeZone string }

// customerField is a field of a customer: its name in the API, its location in a push and in the record, and the rule for its
// value.
type customerField struct {
	name  string
	tag   uint64 // in the change feed, below 64; must not change
	given func(*CustomerData) *string
	kept  func(*customerFields) *string
	check func(string) (validation.Rule, string)
}

// maxCustomerName is the maximum length of a customer's name in bytes.
const maxCustomerName = 200

// customerFieldTable has all fields of a customer.
var customerFieldTable = []customerField{
	{
		"customer_name", 1,
		func(d *CustomerData) *string { return &d.CustomerName },
		func(f *customerFields) *string { return &f.name },
		func(s string) (validation.Rule, string) {
			return validation.RuleTextFormat, textrules.Check(s, maxCustomerName)
		},
	},
	{
		"customer_time_zone", 2,
		func(d *CustomerData) *string { return &d.CustomerTimeZone },
		func(f *customerFields) *string { return &f.timeZone },
		checkTimeZone,
	},
}

// customerFieldNamed returns the field of a customer with this name, or nil if there is none.
func customerFieldNamed(name string) *customerField {
	for i := range customerFieldTable {
		if customerFieldTable[i].name == name {
			return &customerFieldTable[i]
		}
	}
	return nil
}

// decode reads the field from JSON. A null or an empty string clears the field.
func (f *customerField) decode(r *jsonReader, d *CustomerData, report reporter) error {
	if r.Peek() == 'n' {
		d.Clear = append(d.Clear, f.name)
		return r.Skip()
	}
	found := len(d.notes)
	value, err := r.text(report)
	if err == nil && value == "" && len(d.notes) == found {
		d.Clear = append(d.Clear, f.name)
	}
	*f.given(d) = value
	return err
}

// encode writes the field if it has a value, or null if the push clears it.
func (f *customerField) encode(e *jsontext.Encoder, d *CustomerData) error {
	switch value := *f.given(d); {
	case value != "":
		return writeTokens(e, jsontext.String(f.name), jsontext.String(value))
	case slices.Contains(d.Clear, f.name):
		return writeTokens(e, jsontext.String(f.name), jsontext.Null)
	}
	return nil
}

// checkCustomer reports the faults of the customer's fields. A name without visible characters clears the name, like an empty
// name in JSON.
func checkCustomer(d *CustomerData, found *findings) {
	for _, name := range d.Clear {
		if customerFieldNamed(name) == nil {
			found.in("clear")("", validation.RuleNotAField, "%q is not a field of a customer", textrules.Clip(name))
		}
	}
	for i := range customerFieldTable {
		f := &customerFieldTable[i]
		value := *f.given(d)
		if value == "" {
			continue
		}
		if rule, fault := f.check(value); fault != "" {
			found.in(f.name)("", rule, "%s", fault)
		}
	}
	if d.CustomerName != "" && textrules.IsBlank(d.CustomerName) {
		d.CustomerName = ""
		d.Clear = append(slices.Clip(d.Clear), "customer_name")
	}
}

// merge returns the customer's fields after a push or, if exact, after a sync.
func (f customerFields) merge(d *CustomerData, exact bool) customerFields {
	if exact {
		f = customerFields{}
	}
	for i := range customerFieldTable {
		row := &customerFieldTable[i]
		switch value := *row.given(d); {
		case value != "":
			*row.kept(&f) = value
		case slices.Contains(d.Clear, row.name):
			*row.kept(&f) = ""
		}
	}
	return f
}
