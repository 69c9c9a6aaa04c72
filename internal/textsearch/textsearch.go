// Package textsearch matches texts against the query that a person typed into a search box. Words match in any order and
// regardless of case and accents. Phone numbers match by their digits.
package textsearch

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Query is a parsed search text. The zero Query has no words and matches everything.
type Query struct {
	words []word
	phone []byte // the digits, if the whole query is a phone number; nil otherwise
}

// word is one word of a query.
type word struct {
	text   []byte // folded
	digits []byte // set if the word consists of digits and the punctuation of phone numbers
}

// minPhoneDigits is the minimum number of digits of a phone number that is written in several
// words or with leading zeros.
const minPhoneDigits = 5

// Parse parses a search text. Words are separated by white space, commas and semicolons. Words
// that consist of punctuation are ignored unless the text has no other word.
func Parse(text string) Query {
	var q Query
	folded := AppendFold(nil, text)
	var marks []word
	isPhone := true
	var digits []byte
	for _, field := range bytes.FieldsFunc(folded, isSeparator) {
		w := word{text: field}
		if isPhoneText(field) {
			w.digits = AppendDigits(nil, string(field))
			digits = append(digits, w.digits...)
		} else {
			isPhone = false
		}
		if bytes.ContainsFunc(field, func(r rune) bool { return !unicode.IsPunct(r) }) {
			q.words = append(q.words, w)
		} else {
			marks = append(marks, w)
		}
	}
	if len(q.words) == 0 {
		q.words = marks
	}
	if digits = bytes.TrimLeft(digits, "0"); isPhone && len(digits) >= minPhoneDigits {
		q.phone = digits
	}
	return q
}

func isSeparator(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }

// isPhoneText reports whether a word has at least one digit and otherwise only the punctuation
// of phone numbers.
func isPhoneText(b []byte) bool {
	return bytes.ContainsAny(b, "0123456789") && len(bytes.Trim(b, "0123456789+-()./")) == 0
}

// Empty reports whether the query has no words.
func (q *Query) Empty() bool { return len(q.words) == 0 }

// Texts are the searchable texts of one resource.
type Texts struct {
	text   []byte // folded, each followed by a line feed, which never occurs in a word
	digits []byte // the digits of the phone numbers, in the same form
	ids    []byte // the ids, in the same form
}

// minIDBytes is the minimum length of a word that is searched in ids. A shorter word, such as
// one digit, occurs in nearly every id.
const minIDBytes = 4

// Reset removes all texts.
func (t *Texts) Reset() { t.text, t.digits, t.ids = t.text[:0], t.digits[:0], t.ids[:0] }

// Add adds texts. It ignores empty ones.
func (t *Texts) Add(texts ...string) {
	for _, s := range texts {
		if s != "" {
			t.text = append(AppendFold(t.text, s), '\n')
		}
	}
}

// AddPhone adds a phone number, which matches by its text and by its digits.
func (t *Texts) AddPhone(s string) {
	if s != "" {
		t.Add(s)
		t.digits = append(AppendDigits(t.digits, s), '\n')
	}
}

// AddID adds a random id, which matches words of at least four characters.
func (t *Texts) AddID(s string) { t.ids = append(AppendFold(t.ids, s), '\n') }

// Match reports whether each word of the query is part of one of the texts. A word of digits
// also matches a phone number that contains the same digits in sequence, with any punctuation.
// A query that is one phone number matches in the same way, without its leading zeros, because
// an international number does not have them.
func (q *Query) Match(of ...*Texts) bool {
	return q.matchWords(of) || len(q.phone) > 0 && hasDigits(of, q.phone)
}

func (q *Query) matchWords(of []*Texts) bool {
	for i := range q.words {
		if !q.words[i].match(of) {
			return false
		}
	}
	return true
}

func (w *word) match(of []*Texts) bool {
	for _, t := range of {
		if bytes.Contains(t.text, w.text) || len(w.text) >= minIDBytes && bytes.Contains(t.ids, w.text) {
			return true
		}
	}
	return len(w.digits) > 0 && hasDigits(of, w.digits)
}

func hasDigits(of []*Texts, digits []byte) bool {
	for _, t := range of {
		if bytes.Contains(t.digits, digits) {
			return true
		}
	}
	return false
}

// AppendDigits appends the decimal digits of a text to b, as ASCII. It converts the digits of
// other scripts.
func AppendDigits(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			b = append(b, c)
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			for _, c := range []byte(foldRune(r)) {
				if '0' <= c && c <= '9' {
					b = append(b, c)
				}
			}
			i += size - 1
		}
	}
	return b
}

// AppendFold appends the folded form of a text to b. Texts are compared in this form: it is
// compatibility decomposed (NFKD), has no combining or invisible characters, and is in lower
// case. Some letters that have no decomposition, such as "ł", "ø" and "ß", apostrophes and
// hyphens are replaced with the ASCII characters that people type for them.
func AppendFold(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b = append(b, lowerASCII[c])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r < tableEnd:
			b = append(b, table()[r]...)
		case firstUnified <= r && r <= lastUnified:
			b = append(b, s[i-size:i]...)
		default:
			b = append(b, foldRune(r)...)
		}
	}
	return b
}

// Fold returns the folded form of a text; see [AppendFold].
func Fold(s string) string { return string(AppendFold(nil, s)) }

var lowerASCII = func() (out [utf8.RuneSelf]byte) {
	for i := range out {
		out[i] = strings.ToLower(string(rune(i)))[0]
	}
	return out
}()
