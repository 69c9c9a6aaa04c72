package data_test

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// matches reports whether a search for text returns a resource.
func (n *naiveWorkspace) matches(text string, r naiveResource) bool {
	if len(searchWords(text)) == 0 {
		return true
	}
	texts, phones, ids := []string{r.name, r.key, r.email, r.phone, r.code}, []string{r.phone}, []string{}
	switch r.class {
	case "space":
		texts = append(texts, r.customer)
	case "user_identity":
		ids = append(ids, r.id)
	default:
		if user, ok := n.resource(r.customer, "user_identity", r.user); ok {
			texts, phones = append(texts, user.name, user.key, user.email, user.phone), append(phones, user.phone)
		}
		for _, key := range r.spaces {
			if space, ok := n.resource(r.customer, "space", key); ok {
				texts = append(texts, space.name, space.key)
			}
		}
	}
	return matchesText(text, texts, phones, ids)
}

// matchesText reports whether text matches: either each of its words occurs in a text, an id or a phone number, or the whole
// text is a phone number.
func matchesText(text string, texts, phones, ids []string) bool {
	contains := func(texts []string, part string, normalize func(string) string) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(normalize(s), part) })
	}
	isPhone, number := true, ""
	everyWord := true
	for _, word := range searchWords(text) {
		phone := digitsOf(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		everyWord = everyWord && (contains(texts, word, foldText) || len(word) >= 4 && contains(ids, word, foldText) || phone && contains(phones, digitsOf(word), digitsOf))
	}
	for _, word := range strings.FieldsFunc(foldText(text), isSeparator) {
		isPhone = isPhone && digitsOf(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		number += digitsOf(word)
	}
	number = strings.TrimLeft(number, "0")
	return everyWord || isPhone && len(number) >= 5 && contains(phones, number, digitsOf)
}

func isSeparator(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }

// searchWords returns the words of a search text. It returns words that consist of punctuation only if there are no others.
func searchWords(text string) []string {
	words := strings.FieldsFunc(foldText(text), isSeparator)
	withText := slices.DeleteFunc(slices.Clone(words), func(word string) bool {
		return strings.TrimFunc(word, unicode.IsPunct) == ""
	})
	if len(withText) > 0 {
		return withText
	}
	return words
}

// foldText returns a text in lower case, without accents and invisible characters. It supports the letters in this test only.
func foldText(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	return strings.NewReplacer("ß", "ss", "ł", "l", "ø", "o", "æ", "ae", "ς", "σ").Replace(text)
}

func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
