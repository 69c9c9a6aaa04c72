package web

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
)

// The directory catalogs/glossary contains the terms of the pages, so that each language has one word for each of them.
// In the glossary of a language, the name of a term has its word and, if its other forms differ from the word, the
// beginnings of these forms. In the English glossary, the name of a term has its forms, without the s of a plural.

// glossaries returns the glossaries by locale.
func glossaries(t *testing.T) map[string]map[string][]string {
	t.Helper()
	name := regexp.MustCompile(`(?m)^  "([^"]+)": \[`)
	out := map[string]map[string][]string{}
	for _, locale := range portal.Locales() {
		b, err := os.ReadFile("catalogs/glossary/" + locale + ".json")
		require.NoError(t, err)
		var terms map[string][]string
		require.NoError(t, json.Unmarshal(b, &terms), locale)
		require.Len(t, name.FindAllSubmatch(b, -1), len(terms), "%s contains a term twice", locale)
		out[locale] = terms
	}
	return out
}

// forms returns the beginnings of the forms of a term.
func forms(words []string) []string {
	if len(words) > 1 {
		return words[1:]
	}
	return words
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func TestGlossary_EachLocale_HasOneWordForEachTerm(t *testing.T) {
	t.Parallel()
	all := glossaries(t)
	english := slices.Sorted(maps.Keys(all["en-US"]))
	require.Greater(t, len(english), 45)
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	for locale, terms := range all {
		require.Equal(t, english, slices.Sorted(maps.Keys(terms)), locale)
		for term, words := range terms {
			require.NotEmpty(t, words, "%s: %s", locale, term)
			for _, word := range words {
				require.NotEmpty(t, strings.TrimSpace(word), "%s: %s", locale, term)
			}
		}
		for key, text := range catalogs[locale].texts {
			noun, is := strings.CutPrefix(key, "noun.")
			if words := terms[strings.ReplaceAll(noun, "_", " ")]; is && words != nil {
				require.True(t, strings.EqualFold(words[0], text), "%s: %s is %q, and in the glossary %q", locale, key, text, words[0])
			}
		}
	}
}

// A text that has a term in English has its word in the other languages.
func TestCatalogs_TermsOfTheGlossary_AreTranslatedWithItsWords(t *testing.T) {
	t.Parallel()
	all := glossaries(t)
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	terms := slices.SortedFunc(maps.Keys(all["en-US"]), func(a, b string) int { // long ones first, because they contain others
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	found := map[string]bool{}
	for key, text := range catalogs["en-US"].texts {
		rest := placeholder.ReplaceAllString(text, "")
		for _, term := range terms {
			pattern := regexp.MustCompile(`(?i)\b(?:` + strings.Join(forms(all["en-US"][term]), "|") + `)(?:e?s)?\b`)
			if !pattern.MatchString(rest) {
				continue
			}
			found[term], rest = true, pattern.ReplaceAllString(rest, " ")
			for locale := range all {
				translated, has := catalogs[locale].texts[key]
				if locale == "en-US" || !has { // a plural form that the language does not have
					continue
				}
				require.True(t, slices.ContainsFunc(forms(all[locale][term]), func(form string) bool { return containsFold(translated, form) }),
					"%s: %s: %q has no form of %q, the word for %q", locale, key, translated, all[locale][term], term)
			}
		}
	}
	for _, term := range terms {
		require.True(t, found[term], "no text contains %q", term)
	}
}

// People at a hotel do not know the terms of the API.
func TestCatalogs_TermsOfTheAPI_DoNotOccur(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	for locale, c := range catalogs {
		for key, text := range c.texts {
			for _, term := range []string{"identity", "identities", "access grant", "resource", "workspace", "user_identity", "access_grant"} {
				require.False(t, containsFold(text, term), "%s: %s: %q", locale, key, text)
			}
		}
	}
}
