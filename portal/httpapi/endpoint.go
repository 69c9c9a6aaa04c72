package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/strictjson"
)

// request is the struct of a request to an endpoint. Each endpoint, or several similar ones,
// have their own type. To add a parameter, add a field to the struct and bind it in the input
// method; reading, checking and the OpenAPI document follow.
type request interface{ input() input }

// input says where the fields of a request come from.
type input struct {
	// params are in the query of a GET or DELETE, and in the body of a POST or PATCH.
	params []form.Field

	// options are in the query of a POST or PATCH, beside its body.
	options []form.Field

	// lenient makes unknown members of the body warnings. In the query, and otherwise in the
	// body, they are faults.
	lenient bool

	// large is set for a body that brings data, which may have Options.MaxBodyBytes.
	large bool

	// notes receives what is wrong with the body. Nil means that the request is refused for a
	// fault before it is served.
	notes *form.Notes

	// body receives the members of the body after params were read from it; nil drops them.
	body func(*form.Object)

	// data is a body that is read directly instead of by params, or nil.
	data *dataBody
}

// dataBody is a body that is a value of package data.
type dataBody struct {
	read   func(*strictjson.Reader) error
	schema func() schema

	// query returns the members that a GET or DELETE has in its query.
	query func() []form.Field
	// orNothing is set if no body at all is the same as an empty object.
	orNothing bool
}

// endpoint reads a request and carries it out.
type endpoint struct {
	request func() request // returns a new one
	serve   func(context.Context, *call, request) (fields, error)
}

// serve returns the endpoint whose request is an R.
func serve[T any, R interface {
	*T
	request
}](do func(context.Context, *call, R) (fields, error)) endpoint {
	return endpoint{
		request: func() request { return R(new(T)) },
		serve:   func(ctx context.Context, c *call, r request) (fields, error) { return do(ctx, c, r.(R)) },
	}
}

// describe returns a parameter whose schema has a description.
func describe(text string, f form.Field) form.Field {
	f.Value = describedValue{f.Value, text}
	return f
}

type describedValue struct {
	form.Value
	text string
}

func (v describedValue) Schema() schema { return described(v.Value.Schema(), v.text) }

// Requests of several endpoints.

// emptyRequest is a request without parameters.
type emptyRequest struct{}

func (*emptyRequest) input() input { return input{} }

// customerRequest names a customer.
type customerRequest struct{ CustomerKey string }

func (r *customerRequest) input() input {
	return input{params: []form.Field{required(bind("customer_key", &r.CustomerKey, aKey))}}
}

// portalRequest names a portal.
type portalRequest struct{ ID uuid.UUID }

func (r *portalRequest) input() input { return input{params: []form.Field{portalID(&r.ID)}} }

func portalID(into *uuid.UUID) form.Field { return required(bind("customer_portal_id", into, anID)) }

// profileRequest names a customization profile.
type profileRequest struct{ ID uuid.UUID }

func (r *profileRequest) input() input { return input{params: []form.Field{profileID(&r.ID)}} }

func profileID(into *uuid.UUID) form.Field {
	return required(bind(fieldProfile, into, anID))
}

// patch is a change of a T: what is absent stays, null clears.
type patch[T any] struct {
	first T // a zero T with the change, by which the change itself is checked
	body  *form.Object
}

// read is given the change.
func (p *patch[T]) read(o *form.Object) { p.body = o }

// apply makes the change. The faults of the change are known already.
func (p *patch[T]) apply(into *T) error {
	to := form.BodyOf(into)
	if to.Notes == nil {
		to.Notes = new(form.Notes)
	}
	o := p.body.Again(to.Notes)
	o.Read(to.Fields)
	o.Rest()
	return nil
}
