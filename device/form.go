package device

import (
	"slices"
	"unicode/utf8"
)

// MaxAnswerBytes is the greatest size of an answer to a [Field].
const MaxAnswerBytes = 1024

// Form asks the customer for input. The texts are English. Pages translate the names of fields and the problems that
// they know.
type Form struct {
	// Message explains the form, or what was wrong. It contains no answers.
	Message string

	// Problem says what was wrong with the form as a whole, and is otherwise empty.
	Problem Problem

	Fields []Field
}

// Field is an input field.
type Field struct {
	// Name is the key in [Step.Answers]. Usual names are url, username, password, code and token.
	Name  string
	Label string
	Help  string

	Kind     FieldKind
	Optional bool

	// Value is the initial value. It is never a secret.
	Value string

	// Options lists the allowed values of a field of the kind FieldChoice.
	Options []Option

	// Problem says what was wrong with the answer. It is empty if the answer was not wrong. Message explains the
	// problem.
	Problem Problem
	Message string
}

// Option is a choice of a field.
type Option struct{ Value, Label string }

// FieldKind is the kind of a field.
type FieldKind string

// The kinds of fields.
const (
	FieldText   FieldKind = "text"
	FieldURL    FieldKind = "url"
	FieldSecret FieldKind = "secret" // a password or token: not shown while typing
	FieldCode   FieldKind = "code"   // a second factor: used once
	FieldChoice FieldKind = "choice"
)

// Problem says what was wrong with a form or an answer.
type Problem string

// The problems.
const (
	ProblemMissing     Problem = "missing"           // a required answer is empty
	ProblemInvalid     Problem = "invalid"           // not a possible value
	ProblemUnknown     Problem = "unknown_field"     // the form has no such field
	ProblemCredentials Problem = "wrong_credentials" // the provider refused the login
	ProblemCode        Problem = "wrong_code"        // the provider refused the second factor
	ProblemUnreachable Problem = "unreachable"       // there is no answer at the address that the customer entered
	ProblemNotAllowed  Problem = "not_allowed"       // the operator does not allow this address
)

// Check compares answers with the form. It returns a copy of the form that contains the answers that are not secret and
// the problems found, and reports whether there were no problems. Required answers must be present. Every answer must
// have a field, must consist of at most [MaxAnswerBytes] of UTF-8 and, for a field of the kind FieldChoice, must be one
// of the options.
func (f Form) Check(answers map[string]Secret) (Form, bool) {
	f.Fields = slices.Clone(f.Fields)
	f.Problem, f.Message = "", ""
	ok := true
	names := map[string]bool{}
	for i := range f.Fields {
		field := &f.Fields[i]
		names[field.Name] = true
		answer := answers[field.Name].Reveal()
		field.Problem, field.Message = "", ""
		switch {
		case answer == "" && !field.Optional:
			field.Problem, field.Message = ProblemMissing, "Fill in this field."
		case answer == "":
		case len(answer) > MaxAnswerBytes || !utf8.ValidString(answer):
			field.Problem, field.Message = ProblemInvalid, "This value is too long or not a text."
		case field.Kind == FieldChoice && !slices.ContainsFunc(field.Options, func(o Option) bool { return o.Value == answer }):
			field.Problem, field.Message = ProblemInvalid, "Choose one of the options."
		}
		ok = ok && field.Problem == ""
		if field.Kind != FieldSecret && field.Kind != FieldCode && field.Problem != ProblemInvalid {
			field.Value = answer
		}
	}
	for name := range answers {
		if !names[name] {
			f.Problem, f.Message, ok = ProblemUnknown, "The form has no field with this name: "+Label(name), false
		}
	}
	return f, ok
}
