package portal

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// Bounds of a configuration.
const (
	maxFilters      = 50
	maxFilterText   = 500 // characters, as in custom_metadata
	maxFilterField  = 40  // characters, as in custom_metadata
	maxList         = 100 // names in a list of providers or events
	maxListName     = 100 // bytes
	maxOrigins      = 20
	maxURLBytes     = 2048
	maxLabelBytes   = 4096
	maxConfigBytes  = 64 << 10 // of JSON
	operationEquals = "="
)

var filterField = regexp.MustCompile(`^[a-zA-Z_]\w*$`)

// check returns the faults and warnings of the configuration, and those of the JSON that it was read from. It does not read the
// store; see checkReferences.
func (c Config) check() (notes jsonobject.Notes) {
	if c.isZero() {
		return notes
	}
	notes.Join(c.notes)
	jsonobject.Check(&notes, "", c.fields())
	return notes
}

// checkFilters notes the faults of filters.
func checkFilters(notes *jsonobject.Notes, path string, filters []Filter) {
	if len(filters) > maxFilters {
		notes.Fault(path, validation.RuleTooMany, "at most %d", maxFilters)
		return
	}
	known := map[string]any{}
	for i, f := range filters {
		path := fmt.Sprintf("%s[%d]", path, i)
		if len(f.Field) > maxFilterField {
			notes.Fault(path+"."+fieldField, validation.RuleRange, "has at most %d characters", maxFilterField)
		}
		if !filterField.MatchString(f.Field) {
			notes.Fault(path+"."+fieldField, validation.RuleFormat, `must be a letter or "_", then letters, digits and "_"`)
		}
		at := path + "." + fieldValue
		switch v := f.Value.(type) {
		case bool:
		case string:
			if v == "" {
				notes.Fault(at, validation.RuleRequired, "must not be empty: custom_metadata has no empty values")
			}
			if len([]rune(v)) > maxFilterText {
				notes.Fault(at, validation.RuleRange, "has at most %d characters", maxFilterText)
			}
			checkText(notes, at, v, 4*maxFilterText)
		default:
			notes.Fault(at, validation.RuleType, "must be a string or a boolean")
			continue
		}
		if before, ok := known[f.Field]; ok && before != f.Value {
			notes.Fault(at, validation.RuleFormat, "contradicts an earlier filter of the same field")
		}
		known[f.Field] = f.Value
	}
}

// webURL reports whether a URL is an http or https URL with a host, a valid port if any, and no user.
func webURL(u *url.URL) bool {
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "0"), 10, 16)
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		err == nil && (port > 0 || !strings.HasSuffix(u.Host, ":"+u.Port()))
}

// webOrigin matches an origin. Other text must not get into the Content-Security-Policy header.
var webOrigin = regexp.MustCompile(`^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$`)

// checkNames notes a fault for a list that is too long, and for each name that is blank, a duplicate or too long. fault, if it
// is not nil, returns the message of a further fault of a name, or "".
func checkNames(notes *jsonobject.Notes, path string, names []string, fault func(string) string) {
	if len(names) > maxList {
		notes.Fault(path, validation.RuleTooMany, "at most %d", maxList)
		return
	}
	for i, name := range names {
		at, wrong := fmt.Sprintf("%s[%d]", path, i), ""
		if fault != nil {
			wrong = fault(name)
		}
		switch {
		case textrules.IsBlank(name):
			notes.Fault(at, validation.RuleRequired, "is empty")
		case slices.Contains(names[:i], name):
			notes.Fault(at, validation.RuleFormat, "is a duplicate")
		case wrong != "":
			notes.Fault(at, validation.RuleFormat, "%s", wrong)
		default:
			checkText(notes, at, name, maxListName)
		}
	}
}

// checkText notes a fault for a text of more than maxBytes or with characters that are not allowed.
func checkText(notes *jsonobject.Notes, path, text string, maxBytes int) {
	if fault := textrules.Check(text, maxBytes); fault != "" {
		notes.Fault(path, validation.RuleTextFormat, "%s", fault)
	}
}

// checkRef notes a fault for a reference of another kind, or with an invalid key. A zero reference is valid.
func checkRef(notes *jsonobject.Notes, path string, ref data.Ref, kinds []data.Kind) {
	if ref == (data.Ref{}) {
		return
	}
	if !slices.Contains(kinds, ref.Kind) {
		notes.Fault(path, validation.RuleFormat, "cannot be a %v", ref.Kind)
		return
	}
	if id, err := uuid.Parse(ref.Key); ref.Kind == data.KindDevice && (err != nil || id.String() != ref.Key) {
		notes.Fault(refPath(path, ref), validation.RuleFormat, "is not a UUID in lower case, as uuid.UUID.String returns it")
		return
	}
	if fault := textrules.CheckKey(ref.Key); fault != "" {
		notes.Fault(refPath(path, ref), validation.RuleKeyFormat, "%s", fault)
	}
}

// refPath returns the path of the key of a reference in a configuration. path is that of the reference.
func refPath(path string, ref data.Ref) string {
	switch {
	case ref.Kind == data.KindDevice:
		return path + "." + fieldResourceID
	case path == fieldDeepLink:
		return path + "." + fieldResourceKey
	}
	return path + "." + ref.Kind.KeyField()
}
