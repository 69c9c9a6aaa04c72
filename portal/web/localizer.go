package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"github.com/customerportal-go/customerportal/portal"
)

// Each locale has a catalog. All catalogs have the same keys, except for texts that depend on a number: their keys end
// with the plural forms of the language, such as "nights.one" and "nights.few".

//go:embed catalogs/*.json
var catalogFiles embed.FS

// catalog contains the texts of a locale.
type catalog struct {
	locale  string
	tag     language.Tag
	texts   map[string]string
	printer *message.Printer
}

// loadCatalogs returns the catalogs by locale, which all handlers of a process share.
var loadCatalogs = sync.OnceValues(parseCatalogs)

func parseCatalogs() (map[string]*catalog, error) {
	out := map[string]*catalog{}
	for _, locale := range portal.Locales() {
		b, err := catalogFiles.ReadFile("catalogs/" + locale + ".json")
		if err != nil {
			return nil, fmt.Errorf("web: catalog %s: %w", locale, err)
		}
		c := &catalog{locale: locale, tag: language.MustParse(locale)}
		if err := json.Unmarshal(b, &c.texts); err != nil {
			return nil, fmt.Errorf("web: catalog %s: %w", locale, err)
		}
		c.printer = message.NewPrinter(c.tag)
		out[locale] = c
	}
	return out, nil
}

// localizer returns the texts of one page. It applies the overrides of the portal's profile and Options.Rewrite.
type localizer struct {
	*catalog
	lasting   bool              // access grants are not stays, so their texts do not mention arrival and departure
	nouns     map[string]string // keys whose text is that of another key, a noun of the vertical
	space     string            // the vertical's noun for a space; a key followed by a period and the noun has a text of its own
	overrides map[string]string
	rewrite   func(locale, key, text string) string
}

func (h *Handler) newLocalizer(locale string, overrides map[string]string) *localizer {
	c := h.catalogs[locale]
	if c == nil {
		c = h.catalogs[portal.Locales()[0]]
	}
	return &localizer{catalog: c, overrides: overrides, rewrite: h.options.Rewrite}
}

// text returns the text of a key. pairs are names and values that replace placeholders such as {name}.
func (s *localizer) text(key string, pairs ...any) string {
	text, known := s.overrides[key]
	if noun := s.nouns[key]; noun != "" && !known {
		if text, known = s.overrides[noun]; !known {
			text, known = s.texts[noun]
		}
	}
	if !known && s.space != "" {
		text, known = s.texts[key+"."+s.space]
	}
	if !known && s.lasting {
		text, known = s.texts[lastingPrefix+key]
	}
	if !known {
		text = s.texts[key]
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i+1]
		if n, isInt := value.(int); isInt {
			value = s.number(n)
		}
		text = strings.ReplaceAll(text, "{"+fmt.Sprint(pairs[i])+"}", fmt.Sprint(value))
	}
	if s.rewrite != nil {
		text = s.rewrite(s.locale, key, text)
	}
	return text
}

// lastingPrefix is the prefix of keys whose texts replace others if localizer.lasting is set.
const lastingPrefix = "lasting."

// pluralNames are the suffixes of the plural forms in the keys of a catalog.
var pluralNames = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

// count returns the text of a key in the plural form for n. The placeholder of the number is {n}.
func (s *localizer) count(key string, n int, pairs ...any) string {
	return s.countText(key, n, s.number(n), pairs...)
}

// countText is like count, but shows another text instead of the number.
func (s *localizer) countText(key string, n int, text string, pairs ...any) string {
	form := plural.Cardinal.MatchPlural(s.tag, n, 0, 0, 0, 0)
	return s.text(key+"."+pluralNames[form], append([]any{"n", text}, pairs...)...)
}

func (s *localizer) number(n int) string { return s.printer.Sprint(number.Decimal(n)) }
