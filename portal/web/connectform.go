package web

import (
	"slices"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/validation"
)

// The fields and problems of forms that have a text of their own in the catalog.
var (
	connectFields   = []string{"url", "username", "password", "code", "token"}
	connectProblems = []device.Problem{
		device.ProblemInvalid, device.ProblemCredentials, device.ProblemCode, device.ProblemUnreachable, device.ProblemNotAllowed,
	}
)

// problemText returns the text of a problem of a form or an answer, or "" if there is none.
func (x *exchange) problemText(p device.Problem) string {
	switch {
	case p == "":
		return ""
	case p == device.ProblemMissing:
		return x.text("rule." + string(validation.RuleRequired))
	case slices.Contains(connectProblems, p):
		return x.text("connect.problem." + string(p))
	}
	return x.text("connect.problem." + string(device.ProblemInvalid))
}

// secretField returns the index of the field at which a wrong login or code is shown, which is the first that is not sent back to the
// browser, or -1 if there is none or if the form has no such problem.
func secretField(of device.Form) int {
	kind := device.FieldSecret
	switch of.Problem {
	case device.ProblemCredentials:
	case device.ProblemCode:
		kind = device.FieldCode
	default:
		return -1
	}
	return slices.IndexFunc(of.Fields, func(f device.Field) bool { return f.Kind == kind && f.Problem == "" })
}

// fillConnect adds a form of a provider to its page. The values of secret fields are never sent back to the browser.
func (x *exchange) fillConnect(page *connectPage, of device.Form) {
	f := x.newForm(nil)
	at := secretField(of)
	if of.Problem == "" {
		page.Message = of.Message
	}
	for i, answer := range of.Fields {
		if i == at {
			answer.Problem, of.Problem = of.Problem, ""
		}
		out := connectField{field: field{
			Name: answerPrefix + answer.Name, Label: isolatedPlain(answer.Label), Type: "text", Value: answer.Value, Hint: isolatedPlain(answer.Help),
			Fault: x.problemText(answer.Problem), Required: !answer.Optional,
		}, Options: answer.Options, English: true}
		if slices.Contains(connectFields, answer.Name) {
			out.Label, out.English = x.text("connect.field."+answer.Name), false
		}
		if answer.Optional {
			out.Label = x.text("connect.optional", "name", out.Label)
		}
		switch answer.Kind {
		case device.FieldURL:
			out.Type = "url"
		case device.FieldSecret:
			out.Type, out.Value = "password", ""
		case device.FieldCode:
			out.Value, out.Complete = "", "one-time-code"
		}
		f.fields = append(f.fields, fieldSpec{out.Name, hostLabelPrefix + out.Label})
		if out.Fault != "" {
			f.Faults[out.Name] = out.Fault
		}
		page.Fields = append(page.Fields, out)
	}
	for i := range page.Fields {
		page.Fields[i].First = f.First(page.Fields[i].Name)
	}
	if text := x.problemText(of.Problem); text != "" {
		f.Faults["form"] = text
	}
	page.Form = f
}
