package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"github.com/customerportal-go/customerportal/portal"
)

// Each locale has a catalog, all with the same keys, but that a text which depends on a
// number has the key's plural forms that the language has: "nights.one", "nights.few".

//go:embed catalogs/*.json
var catalogFiles embed.FS

// catalog is the texts of a locale.
type catalog struct {
	locale  string
	tag     language.Tag
	texts   map[string]string
	printer *message.Printer
}

func loadCatalogs() (map[string]*catalog, error) {
	out := map[string]*catalog{}
	for _, locale := range portal.Locales() {
		b, err := catalogFiles.ReadFile("catalogs/" + locale + ".json")
		if err != nil {
			return nil, fmt.Errorf("web: the catalog of %s: %w", locale, err)
		}
		c := &catalog{locale: locale, tag: language.MustParse(locale)}
		if err := json.Unmarshal(b, &c.texts); err != nil {
			return nil, fmt.Errorf("web: the catalog of %s: %w", locale, err)
		}
		c.printer = message.NewPrinter(c.tag)
		out[locale] = c
	}
	return out, nil
}

// speech is how one visit is spoken to.
type speech struct {
	*catalog
	lasting   bool // access is no stay: it has no check-in, and nobody is in house
	overrides map[string]string
	rewrite   func(locale, key, text string) string
}

func (h *Handler) speech(locale string, overrides map[string]string) *speech {
	c := h.catalogs[locale]
	if c == nil {
		c = h.catalogs[portal.Locales()[0]]
	}
	return &speech{catalog: c, overrides: overrides, rewrite: h.o.Rewrite}
}

// text is the text of a key, with the values of pairs of names and values in it.
func (s *speech) text(key string, pairs ...any) string {
	text, known := s.overrides[key]
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

// lastingPrefix begins the keys of texts that take the place of others where access is no stay.
const lastingPrefix = "lasting."

// forms are the names of plural forms in the keys of a catalog.
var forms = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

// count is the text of a key in the form that goes with a number, which is {n} in it.
func (s *speech) count(key string, n int, pairs ...any) string {
	form := plural.Cardinal.MatchPlural(s.tag, n, 0, 0, 0, 0)
	return s.text(key+"."+forms[form], append([]any{"n", n}, pairs...)...)
}

func (s *speech) number(n int) string { return s.printer.Sprint(number.Decimal(n)) }
