package portal

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/internal/wallclock"
)

// Bounds of a configuration.
const (
	maxFilters      = 50
	maxFilterText   = 500 // characters, as in custom_metadata
	maxFilterField  = 40  // the same
	maxList         = 100 // providers, events
	maxListName     = 100 // bytes
	maxOrigins      = 20
	maxURLBytes     = 2048
	maxLabelBytes   = 4096
	maxConfigBytes  = 64 << 10 // as it is stored
	operationEquals = "="
)

var filterField = regexp.MustCompile(`^[a-zA-Z_]\w*$`)

// check notes the faults and warnings of the configuration itself, those of the JSON that
// it was read from included.
func (c Config) check() (notes form.Notes) {
	notes.Join(c.notes)
	fault := notes.Fault
	if c.navigation() != NavigationFull && c.navigation() != NavigationRestricted {
		fault("navigation_mode", data.RuleFormat, "must be full or restricted")
	}
	if c.Locale != "" && !slices.Contains(locales, c.Locale) {
		fault("locale", data.RuleFormat, "must be one of %s", strings.Join(locales, ", "))
	}
	if c.TimeZone != "" {
		if _, err := wallclock.Load(c.TimeZone); err != nil {
			fault(fieldTimeZone, data.RuleFormat, "is not an IANA time zone, such as Europe/Lisbon")
		}
	}
	checkNames(&notes, "features.connect.accepted_providers", c.Features.Connect.AcceptedProviders, nil, "")
	checkNames(&notes, "features.connect.excluded_providers", c.Features.Connect.ExcludedProviders,
		func(s string) bool {
			accepted := c.Features.Connect.AcceptedProviders
			return len(accepted) > maxList || !slices.Contains(accepted, s)
		}, "is also in accepted_providers")
	events := c.Features.Manage.Events
	checkNames(&notes, "features.manage.events.allowed_events", events.AllowedEvents, nil, "")
	checkNames(&notes, "features.manage.events.default_events", events.DefaultEvents,
		func(s string) bool {
			return events.AllowedEvents == nil || len(events.AllowedEvents) > maxList || slices.Contains(events.AllowedEvents, s)
		}, "is not in allowed_events")
	confirmation := c.Features.Manage.DeviceManagementConfirmation
	for _, label := range []struct{ name, text string }{
		{"title", confirmation.Title}, {"body", confirmation.Body},
		{"confirm_button_label", confirmation.ConfirmButtonLabel}, {"cancel_button_label", confirmation.CancelButtonLabel},
	} {
		checkText(&notes, "features.manage.device_management_confirmation."+label.name, label.text, maxLabelBytes)
	}
	checkRef(&notes, fieldLandingPage, c.LandingPage, landingKinds)
	checkRef(&notes, fieldDeepLink, c.DeepLink, []data.Kind{data.KindSpace, data.KindReservation})
	c.checkFilters(&notes)
	c.checkURLs(&notes)
	return notes
}

func (c Config) checkFilters(notes *form.Notes) {
	if len(c.Filters) > maxFilters {
		notes.Fault("customer_resources_filters", data.RuleTooMany, "at most %d", maxFilters)
		return
	}
	known := map[string]any{}
	for i, f := range c.Filters {
		path := fmt.Sprintf("customer_resources_filters[%d]", i)
		if len(f.Field) > maxFilterField {
			notes.Fault(path+".field", data.RuleRange, "has at most %d characters", maxFilterField)
		}
		if !filterField.MatchString(f.Field) {
			notes.Fault(path+".field", data.RuleFormat, `must be a letter or "_", then letters, digits and "_"`)
		}
		switch v := f.Value.(type) {
		case bool:
		case string:
			if v == "" {
				notes.Fault(path+".value", data.RuleRequired, "is empty, which no custom_metadata holds")
			}
			if len([]rune(v)) > maxFilterText {
				notes.Fault(path+".value", data.RuleRange, "has at most %d characters", maxFilterText)
			}
			checkText(notes, path+".value", v, 4*maxFilterText)
		default:
			notes.Fault(path+".value", data.RuleType, "must be a string or a boolean")
			continue
		}
		if before, ok := known[f.Field]; ok && before != f.Value {
			notes.Fault(path+".value", data.RuleFormat, "contradicts an earlier filter of the same field")
		}
		known[f.Field] = f.Value
	}
}

func (c Config) checkURLs(notes *form.Notes) {
	if len(c.FrameOrigins) > maxOrigins {
		notes.Fault("allowed_frame_origins", data.RuleTooMany, "at most %d", maxOrigins)
	}
	for i, origin := range c.FrameOrigins[:min(len(c.FrameOrigins), maxOrigins)] {
		if u, err := url.Parse(origin); err != nil || !webURL(u) || !webOrigin.MatchString(origin) {
			notes.Fault(fmt.Sprintf("allowed_frame_origins[%d]", i), data.RuleFormat, "is not an origin, such as https://app.example")
		}
	}
	if c.ReturnURL != "" {
		u, err := url.Parse(c.ReturnURL)
		if err != nil || !webURL(u) || len(c.ReturnURL) > maxURLBytes {
			notes.Fault("return_url", data.RuleFormat, "is not an absolute http or https URL of at most %d bytes", maxURLBytes)
		}
	}
}

// webURL reports whether a URL is of a web page, with nobody's password in it.
func webURL(u *url.URL) bool {
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "0"), 10, 16)
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		err == nil && (port > 0 || !strings.HasSuffix(u.Host, ":"+u.Port()))
}

// webOrigin is the form of an origin, which goes into a header.
var webOrigin = regexp.MustCompile(`^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$`)

// checkNames notes names of a list that are empty, too many, there twice, or not allowed.
func checkNames(notes *form.Notes, path string, names []string, allowed func(string) bool, why string) {
	if len(names) > maxList {
		notes.Fault(path, data.RuleTooMany, "at most %d", maxList)
		return
	}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case textrules.IsBlank(name):
			notes.Fault(at, data.RuleRequired, "is empty")
		case slices.Contains(names[:i], name):
			notes.Fault(at, data.RuleFormat, "is there twice")
		case allowed != nil && !allowed(name):
			notes.Fault(at, data.RuleFormat, "%s", why)
		default:
			checkText(notes, at, name, maxListName)
		}
	}
}

func checkText(notes *form.Notes, path, text string, most int) {
	if fault := textrules.Check(text, most); fault != "" {
		notes.Fault(path, data.RuleTextFormat, "%s", fault)
	}
}

func checkRef(notes *form.Notes, path string, ref data.Ref, kinds []data.Kind) {
	if ref == (data.Ref{}) {
		return
	}
	if !slices.Contains(kinds, ref.Kind) {
		notes.Fault(path, data.RuleFormat, "cannot be a %v", ref.Kind)
		return
	}
	if fault := textrules.CheckKey(ref.Key); fault != "" {
		notes.Fault(refPath(path, ref), data.RuleKeyFormat, "%s", fault)
	}
}

// refPath is where the key of a reference of a configuration lies.
func refPath(path string, ref data.Ref) string {
	if path == fieldDeepLink {
		return path + ".resource_key"
	}
	return path + "." + ref.Kind.KeyField()
}
