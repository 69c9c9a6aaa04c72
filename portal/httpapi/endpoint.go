package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// jsonObject is a JSON object in a response.
type jsonObject map[string]any

// request is the struct of a request to an endpoint. Endpoints with the same parameters share a type. To add a parameter, add a
// field to the struct and bind it in the input method; reading, checking and the OpenAPI document follow.
type request interface{ input() input }

// input describes where the fields of a request come from.
type input struct {
	// params are in the query of a GET or DELETE, and in the body of a POST or PATCH.
	params []jsonobject.Field

	// options are in the query of a POST or PATCH, in addition to its body.
	options []jsonobject.Field

	// lenient makes unknown members of the body warnings. In the query, and otherwise in the body, they are faults.
	lenient bool

	// large is set if the body can contain customer data. The limit of its length is then Options.MaxBodyBytes, and otherwise 1
	// MiB.
	large bool

	// notes receives the faults and warnings of the body. The operation reports them. If notes is nil, a fault of the body
	// refuses the request before the operation.
	notes *jsonobject.Notes

	// body receives the members of the body after params were read from it. It may be nil.
	body func(*jsonobject.Object)

	// data is set if the body is a value of package data instead of params.
	data *dataBody
}

// dataBody is a body that is a value of package data.
type dataBody struct {
	read   func(*strictjson.Reader) error
	schema func() schema

	// queryParams returns the members that can be in the query of a GET or DELETE.
	queryParams func() []jsonobject.Field

	// optional makes an empty body the same as an empty object.
	optional bool
}

// endpoint reads a request and carries it out.
type endpoint struct {
	newRequest func() request
	handle     func(context.Context, *call, request) (jsonObject, error)
}

// newEndpoint returns the endpoint with requests of type R and the function that carries them out.
func newEndpoint[T any, R interface {
	*T
	request
}](handle func(context.Context, *call, R) (jsonObject, error)) endpoint {
	return endpoint{
		newRequest: func() request { return R(new(T)) },
		handle:     func(ctx context.Context, c *call, r request) (jsonObject, error) { return handle(ctx, c, r.(R)) },
	}
}

// describe returns the parameter f with a description in its schema.
func describe(text string, f jsonobject.Field) jsonobject.Field {
	f.Value = describedValue{f.Value, text}
	return f
}

type describedValue struct {
	jsonobject.Value
	text string
}

func (v describedValue) Schema() schema { return described(v.Value.Schema(), v.text) }

// The requests that several endpoints use.

// emptyRequest is a request without parameters.
type emptyRequest struct{}

func (*emptyRequest) input() input { return input{} }

// customerRequest names a customer.
type customerRequest struct{ CustomerKey string }

func (r *customerRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("customer_key", &r.CustomerKey, keyParam))}}
}

// portalRequest names a portal.
type portalRequest struct{ ID uuid.UUID }

func (r *portalRequest) input() input { return input{params: []jsonobject.Field{bindPortalID(&r.ID)}} }

func bindPortalID(into *uuid.UUID) jsonobject.Field {
	return required(bind("customer_portal_id", into, idParam))
}

// profileRequest names a customization profile.
type profileRequest struct{ ID uuid.UUID }

func (r *profileRequest) input() input {
	return input{params: []jsonobject.Field{bindProfileID(&r.ID)}}
}

func bindProfileID(into *uuid.UUID) jsonobject.Field {
	return required(bind(fieldProfile, into, idParam))
}

// patch is a change to a T. A member that is absent is not changed, and a member that is null is cleared.
type patch[T any] struct {
	draft T // the change applied to a zero T, to find the faults of the change itself
	body  *jsonobject.Object
}

// setBody sets the change.
func (p *patch[T]) setBody(o *jsonobject.Object) { p.body = o }

// apply makes the change to a value. It returns no error, because the faults of the change are in the notes of the value.
func (p *patch[T]) apply(into *T) error {
	target := jsonobject.BodyOf(into)
	if target.Notes == nil {
		target.Notes = new(jsonobject.Notes)
	}
	o := p.body.Again(target.Notes)
	o.Read(target.Fields)
	o.Rest()
	return nil
}
