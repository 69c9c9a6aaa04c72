package web

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// Texts that people typed, such as names, may be written from right to left and may hold
// characters that control direction. Each is isolated where it is shown, so that it
// cannot reorder the text beside it: with bdi in the content of an element, and with
// plain where there can be no element, which is in an attribute, an option or a title.
// Templates use nothing else for such texts, except in the value of a form's field.

// Characters that control direction; see Unicode Standard Annex 9.
const (
	firstIsolate = '\u2066' // LRI, then RLI and FSI
	fsi          = '\u2068'
	pdi          = '\u2069'
)

// maxMarks is the largest number of combining marks in a row that is shown. Languages use fewer; more
// cover the lines above and below.
const maxMarks = 6

// isolated is the element content of a text: a bdi element, or nothing for an empty text.
func isolated(text any) template.HTML {
	s := tamed(fmt.Sprint(text))
	if s == "" {
		return ""
	}
	return template.HTML(`<bdi translate="no">` + template.HTMLEscapeString(s) + `</bdi>`) //nolint:gosec // it is escaped
}

// isolatedPlain is a text for where no element can be. It is between FSI and PDI if it has
// a character that is not written from left to right.
func isolatedPlain(text any) string {
	s := tamed(fmt.Sprint(text))
	if !reorders(s) {
		return s
	}
	return string(fsi) + s + string(pdi)
}

// reorders reports whether a text has a character of a direction other than left to right
// or one that controls direction.
func reorders(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.R, bidi.AL, bidi.AN, bidi.LRO, bidi.RLO, bidi.LRE, bidi.RLE, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI, bidi.Control, bidi.B:
			return true
		}
		return false
	})
}

// tamed returns a text that cannot end the isolate that it is put in, nor begin one that
// does not end: its isolates are in pairs. It is one line, and has at most maxMarks
// combining marks in a row.
func tamed(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	open, marks := 0, 0
	for _, r := range text {
		switch {
		case r >= firstIsolate && r <= fsi:
			open++
		case r == pdi && open == 0:
			continue
		case r == pdi:
			open--
		case r == '\u2028' || r == '\u2029' || r == '\u0085': // they end a line
			r = ' '
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		b.WriteRune(r)
	}
	for range open {
		b.WriteRune(pdi)
	}
	return b.String()
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// initial returns the first letter or digit of a name with its combining marks, in upper case.
func initial(name string) string {
	letters := []rune(tamed(name))
	for i, r := range letters {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			continue
		}
		end := i + 1
		for end < len(letters) && unicode.IsMark(letters[end]) {
			end++
		}
		return strings.ToUpper(string(letters[i:end]))
	}
	return ""
}
