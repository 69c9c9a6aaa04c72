package data

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// customerFields are the fields that a customer itself has beside its key.
type customerFields struct{ name, timeZone string }

// customerField is one of the customer's own fields: its name in the API, where it lies
// in a push and in the record, and the rule that its value must follow.
type customerField struct {
	name  string
	tag   uint64 // in the change feed, below 64; never changes
	given func(*CustomerData) *string
	kept  func(*customerFields) *string
	check func(string) (validation.Rule, string)
}

// maxCustomerName bounds a customer's name, in bytes.
const maxCustomerName = 200

// customerFieldTable is the one list of the customer's own fields.
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

// customerFieldNamed returns the customer's own field of that name, or nil.
func customerFieldNamed(name string) *customerField {
	for i := range customerFieldTable {
		if customerFieldTable[i].name == name {
			return &customerFieldTable[i]
		}
	}
	return nil
}

// decode reads the field from JSON. Null and an empty string clear it.
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

// encode writes the field if it is given, or null if it is to be cleared.
func (f *customerField) encode(e *jsontext.Encoder, d *CustomerData) error {
	switch value := *f.given(d); {
	case value != "":
		return writeTokens(e, jsontext.String(f.name), jsontext.String(value))
	case slices.Contains(d.Clear, f.name):
		return writeTokens(e, jsontext.String(f.name), jsontext.Null)
	}
	return nil
}

// checkCustomer reports what is wrong with the customer's own fields. A name that shows
// nothing is as an empty one in JSON: it clears the name.
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

// merge returns the customer's own fields after a push, or, if exact, after a sync.
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
