package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/base64url"
)

// notice is a text that confirms a change on the page after it. A cookie keeps it until a page has shown it, so that the
// notice does not appear again when the visitor loads the page again. The cookie is not signed: a visitor who changes it
// only gets another text, whose values are escaped like all others.
type notice struct {
	Key    string   `json:"k"`           // one of noticeKeys, or a key that begins with one of nounNotices
	Values []string `json:"v"`           // pairs of names and values for the text of the key
	Undo   bool     `json:"u,omitempty"` // the page offers to undo the change; see undo
}

// noticeKeys are the catalog keys of notices.
var noticeKeys = []string{
	"done.saved", "done.settings", "done.extended", "done.shortened", "done.spaces", "done.added", "done.removed", "done.assigned", "done.unassigned",
	"done.renamed", "done.moved", "done.unsited", "done.space", "done.deleted", "done.connected", "done.disconnected",
	"done.disconnected_codes", "done.assigned_devices", "done.assigned_device", "done.assigned_device_codes", "done.reissued",
	"done.moved_guest", "done.undone",
}

// nounNotices are the catalog keys of notices about an access grant, without the noun at their end.
var nounNotices = []string{"done.created.", "done.cancelled."}

const (
	noticeCookie  = "notice-" // the prefix of the name of the cookie; the short name of the portal follows
	noticeTimeout = time.Minute

	// maxNoticeValue is the largest number of characters of a value in a notice. A browser accepts cookies of 4 KB.
	maxNoticeValue = 120
)

// newNotice returns a notice. pairs are names and values for its text.
func newNotice(key string, pairs ...string) notice {
	for i := 1; i < len(pairs); i += 2 {
		if runes := []rune(pairs[i]); len(runes) > maxNoticeValue {
			pairs[i] = string(runes[:maxNoticeValue-1]) + "…"
		}
	}
	return notice{Key: key, Values: pairs}
}

// grantNotice returns a notice about an access grant. prefix is one of nounNotices.
func (x *exchange) grantNotice(prefix, name string) notice {
	return newNotice(prefix+x.nouns().grant, "name", name)
}

// isKnown reports whether the notice has a text.
func (n notice) isKnown() bool {
	for _, prefix := range nounNotices {
		if noun, of := strings.CutPrefix(n.Key, prefix); of {
			for _, nouns := range nounsByVertical {
				if nouns.grant == noun {
					return true
				}
			}
		}
	}
	return slices.Contains(noticeKeys, n.Key)
}

// redirectWithNotice redirects to a page that shows a notice.
func (x *exchange) redirectWithNotice(n notice, path string, pairs ...string) error {
	encoded, err := json.Marshal(n)
	if err != nil {
		return err
	}
	x.setCookie(noticeCookie+shortName(x.session.Portal()), base64url.Encode(encoded), x.h.db.Now().Add(noticeTimeout), x.config().IsEmbedded)
	return x.redirectTo(path, pairs...)
}

// takeNotice returns the text of the notice that the page shows, or "" if it shows no notice. It removes the cookie.
func (x *exchange) takeNotice() string {
	if x.session == nil || x.r.Method != http.MethodGet {
		return ""
	}
	name := noticeCookie + shortName(x.session.Portal())
	value := x.cookie(name)
	if value == "" {
		return ""
	}
	x.setCookie(name, "", time.Time{}, x.config().IsEmbedded)
	var n notice
	if decoded, ok := base64url.Decode(value); !ok || json.Unmarshal(decoded, &n) != nil || !n.isKnown() {
		return "" // not a cookie of this program
	}
	x.offersUndo = n.Undo
	return n.text(x)
}

// text returns the text of the notice. The key must be known.
func (n notice) text(x *exchange) string {
	pairs := make([]any, len(n.Values))
	for i, text := range n.Values {
		if pairs[i] = text; i%2 == 1 {
			pairs[i] = isolatedPlain(text)
		}
	}
	return x.text(n.Key, pairs...)
}

// listNames returns the first of several names as a value of a notice.
func (x *exchange) listNames(names []string) string {
	shown := names[:min(maxRowSpaces, len(names))]
	out := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		out += " " + x.localizer.count("more", more)
	}
	return out
}
