package data

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/internal/strictjson"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// CustomerData is what a push or a sync gives for one customer. As JSON it is the
// API's object: customer_key, customer_name, customer_time_zone and the 19 collections,
// such as "rooms".
//
// A push merges the customer's own name and time zone as it merges the fields of a
// resource: an empty one stays as it is, and one that Clear names becomes empty. That
// holds with PushOptions.Replace too, which replaces resources. A sync makes them
// exactly what is given.
//
// Read from JSON, it keeps null apart from absent, as JSON Merge Patch (RFC 7396)
// does: a null, an empty string and an empty list are in the resource's Clear.
// What is JSON but not as the API has it (a number for a name, a time that is
// none) does not fail the reading; a push reports it with all else that is wrong.
type CustomerData struct {
	CustomerKey      string
	CustomerName     string // to show to people in place of the key; at most 200 bytes
	CustomerTimeZone string // IANA name, such as "Europe/Lisbon", for spaces that have no zone of their own or of their site

	Spaces         []Space
	UserIdentities []UserIdentity
	AccessGrants   []AccessGrant

	// Clear names the fields of the customer itself that are to become empty:
	// "customer_name" and "customer_time_zone".
	Clear []string

	notes   []validation.Finding // of the JSON that it was read from
	omitted reportlimit.Omitted
}

// Add adds resources of any class, which may be given as pointers. It panics for a nil
// Resource and for a nil pointer.
func (d *CustomerData) Add(resources ...Resource) {
	for _, r := range resources {
		if !d.tryAdd(r) {
			panic("data: CustomerData.Add of a nil Resource")
		}
	}
}

// tryAdd says false for a resource that is nil.
func (d *CustomerData) tryAdd(r Resource) bool {
	switch r := r.(type) {
	case Space:
		d.Spaces = append(d.Spaces, r)
	case UserIdentity:
		d.UserIdentities = append(d.UserIdentities, r)
	case AccessGrant:
		d.AccessGrants = append(d.AccessGrants, r)
	case *Space:
		return r != nil && d.tryAdd(*r)
	case *UserIdentity:
		return r != nil && d.tryAdd(*r)
	case *AccessGrant:
		return r != nil && d.tryAdd(*r)
	case nil:
		return false
	default: // a type of the caller's that one of these is embedded in
		d.add(r.node())
	}
	return true
}

func (d *CustomerData) add(n *node) {
	switch n.class() {
	case ClassSpace:
		d.Spaces = append(d.Spaces, n.space())
	case ClassUserIdentity:
		d.UserIdentities = append(d.UserIdentities, n.userIdentity())
	default:
		d.AccessGrants = append(d.AccessGrants, n.accessGrant())
	}
}

// Len is the number of resources.
func (d CustomerData) Len() int {
	return len(d.Spaces) + len(d.UserIdentities) + len(d.AccessGrants)
}

// entry is where a resource stands in what was given, such as "rooms[3]": the place
// among those of its kind, as JSON has it.
type entry struct {
	kind Kind
	i    int
}

func (e entry) String() string { return fmt.Sprintf("%s[%d]", e.kind.Collection(), e.i) }

// nodes calls yield for each resource with its place. It ends where yield says false.
func (d CustomerData) nodes(yield func(n *node, class Class, at entry) bool) {
	var next [256]int
	each := func(n *node, class Class, i int) bool {
		if n.kind.valid() && n.class() == class {
			i = next[n.kind]
			next[n.kind]++
			return yield(n, class, entry{n.kind, i})
		}
		return yield(n, class, entry{Kind(class << 4), i}) // its place in the Go slice
	}
	for i, s := range d.Spaces {
		if !each(s.node(), ClassSpace, i) {
			return
		}
	}
	for i, u := range d.UserIdentities {
		if !each(u.node(), ClassUserIdentity, i) {
			return
		}
	}
	for i, g := range d.AccessGrants {
		if !each(g.node(), ClassAccessGrant, i) {
			return
		}
	}
}

// DecodeOptions bounds what Decode reads. A zero field takes its default.
type DecodeOptions struct {
	MaxBytes     int64 // default 64 MiB
	MaxDepth     int   // of objects and arrays in one another; default 32
	MaxResources int   // entries of all collections, each of which takes 300 bytes, however short it is; default 1,000,000
}

// Decode reads the API's object from r, a token at a time. It returns an error
// that matches [ErrNotJSON] where r holds anything but one JSON value within the
// bounds, with the names of each object all different and the text in UTF-8. Of the
// faults and warnings that reading finds it keeps 10,000, one fault of each resource
// beyond them, and the number of the others.
func Decode(r io.Reader, o DecodeOptions) (d CustomerData, err error) {
	err = readJSON(r, o, func(reader *strictjson.Reader) error { return decodeCustomerData(reader, &d) })
	if err != nil {
		return CustomerData{}, err
	}
	return d, nil
}

// UnmarshalJSON reads the API's object. See [Decode] for one of unknown size.
func (d *CustomerData) UnmarshalJSON(b []byte) error {
	decoded, err := Decode(bytes.NewReader(b), DecodeOptions{MaxBytes: int64(len(b))})
	if err != nil {
		return err
	}
	*d = decoded
	return nil
}

var _ = strictjson.Register(decodeCustomerData)

// decodeCustomerData reads the API's object within a larger document, or as one.
func decodeCustomerData(r *strictjson.Reader, d *CustomerData) error {
	*d = CustomerData{}
	reader := newJSONReader(r)
	report := reader.noteIn(&d.notes)
	_, err := reader.object(under("customer_data", report), func(name string) error {
		report := under(textrules.Clip(name), report)
		if name == "customer_key" {
			key, err := reader.text(report)
			d.CustomerKey = key
			return err
		}
		if f := customerFieldNamed(name); f != nil {
			return f.decode(reader, d, report)
		}
		kind, ok := byCollection[name]
		if !ok {
			report("", validation.RuleUnknownField, "is not a collection")
			if r.Unknown != nil && reader.Peek() != 'n' {
				r.Unknown(name)
			}
			return reader.Skip()
		}
		if reader.Peek() == 'n' {
			return reader.Skip()
		}
		return reader.array(report, func(int) error {
			if err := reader.Entry(); err != nil {
				return err
			}
			n, err := reader.resource(kind)
			d.add(n)
			return err
		})
	})
	d.omitted = reader.omitted
	return err
}

// MarshalJSON writes the API's object: resources in the order given, a collection
// that is empty left out.
func (d CustomerData) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b)
	if err := writeTokens(e, jsontext.BeginObject, jsontext.String("customer_key"), jsontext.String(d.CustomerKey)); err != nil {
		return nil, err
	}
	for i := range customerFieldTable {
		if err := customerFieldTable[i].encode(e, &d); err != nil {
			return nil, err
		}
	}
	byKind := map[Kind][]*node{}
	d.nodes(func(n *node, _ Class, _ entry) bool {
		byKind[n.kind] = append(byKind[n.kind], n)
		return true
	})
	for _, row := range kinds {
		nodes := byKind[row.kind]
		if len(nodes) == 0 {
			continue
		}
		delete(byKind, row.kind)
		if err := writeTokens(e, jsontext.String(row.collection), jsontext.BeginArray); err != nil {
			return nil, err
		}
		for _, n := range nodes {
			if err := n.encode(e); err != nil {
				return nil, err
			}
		}
		if err := e.WriteToken(jsontext.EndArray); err != nil {
			return nil, err
		}
	}
	for kind := range byKind {
		return nil, fmt.Errorf("%w: unknown kind %v", validation.ErrInvalid, kind)
	}
	err := e.WriteToken(jsontext.EndObject)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// MarshalJSON writes the space as an entry of its kind's collection.
func (s Space) MarshalJSON() ([]byte, error) { return s.node().marshal() }

// MarshalJSON writes the user identity as an entry of its kind's collection.
func (u UserIdentity) MarshalJSON() ([]byte, error) { return u.node().marshal() }

// MarshalJSON writes the access grant as an entry of its kind's collection.
func (g AccessGrant) MarshalJSON() ([]byte, error) { return g.node().marshal() }

func (n *node) marshal() ([]byte, error) {
	if !n.kind.valid() {
		return nil, fmt.Errorf("%w: unknown kind %v", validation.ErrInvalid, n.kind)
	}
	var b bytes.Buffer
	err := n.encode(jsontext.NewEncoder(&b))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// encode writes the key and each field that the resource has or clears.
func (n *node) encode(e *jsontext.Encoder) error {
	if err := writeTokens(e, jsontext.BeginObject, jsontext.String(n.kind.KeyField()), jsontext.String(n.key)); err != nil {
		return err
	}
	object := "" // the object that is open within the resource
	for _, f := range fieldsOf[n.kind] {
		empty := f.value.empty(n)
		if empty && !slices.Contains(n.clear, f.name) {
			continue
		}
		parent, name := f.path()
		if object != parent {
			if err := switchObject(e, object, parent); err != nil {
				return err
			}
			object = parent
		}
		if err := e.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if empty {
			if err := e.WriteToken(jsontext.Null); err != nil {
				return err
			}
		} else if err := f.value.encode(e, n); err != nil {
			return err
		}
	}
	if err := switchObject(e, object, ""); err != nil {
		return err
	}
	return e.WriteToken(jsontext.EndObject)
}

func switchObject(e *jsontext.Encoder, from, to string) error {
	if from != "" {
		if err := e.WriteToken(jsontext.EndObject); err != nil {
			return err
		}
	}
	if to != "" {
		return writeTokens(e, jsontext.String(to), jsontext.BeginObject)
	}
	return nil
}
