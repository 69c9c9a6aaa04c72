package data_test

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// found reports whether a search finds a resource.
func (n *naive) found(text string, r listed) bool {
	if len(words(text)) == 0 {
		return true
	}
	texts, phones, ids := []string{r.name, r.key, r.email, r.phone, r.code}, []string{r.phone}, []string{}
	switch r.class {
	case "space":
		texts = append(texts, r.customer)
	case "user_identity":
		ids = append(ids, r.id)
	default:
		if user, ok := n.of(r.customer, "user_identity", r.user); ok {
			texts, phones = append(texts, user.name, user.key, user.email, user.phone), append(phones, user.phone)
		}
		for _, key := range r.spaces {
			if space, ok := n.of(r.customer, "space", key); ok {
				texts = append(texts, space.name, space.key)
			}
		}
	}
	return matchesText(text, texts, phones, ids)
}

// matchesText is the one place that says how a search text matches.
func matchesText(text string, texts, phones, ids []string) bool {
	has := func(of []string, part string, form func(string) string) bool {
		return slices.ContainsFunc(of, func(s string) bool { return strings.Contains(form(s), part) })
	}
	isPhone, number := true, ""
	everyWord := true
	for _, word := range words(text) {
		phone := digits(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		everyWord = everyWord && (has(texts, word, plain) || len(word) >= 4 && has(ids, word, plain) || phone && has(phones, digits(word), digits))
	}
	for _, word := range strings.FieldsFunc(plain(text), separates) {
		isPhone = isPhone && digits(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		number += digits(word)
	}
	number = strings.TrimLeft(number, "0")
	return everyWord || isPhone && len(number) >= 5 && has(phones, number, digits)
}

func separates(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }

// words are the words of a search text. Those of punctuation alone count only if there are
// no others.
func words(text string) []string {
	all := strings.FieldsFunc(plain(text), separates)
	some := slices.DeleteFunc(slices.Clone(all), func(word string) bool {
		return strings.TrimFunc(word, unicode.IsPunct) == ""
	})
	if len(some) > 0 {
		return some
	}
	return all
}

// plain is a text without case, accents and the like, as far as the texts of this test go.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	return strings.NewReplacer("ß", "ss", "ł", "l", "ø", "o", "æ", "ae", "ς", "σ").Replace(text)
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
