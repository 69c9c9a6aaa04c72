package web

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// Names and other texts that people typed can contain letters that are written from right to left, and characters that
// control the direction of text. To keep them from reordering the text around them, templates isolate all such texts:
// with the function bdi in the content of an element, and with plain in attributes, options and titles, which cannot
// contain elements. The only exception is the value of an input.

// Characters that control direction; see Unicode Standard Annex 9.
const (
	firstIsolate = '\u2066' // LRI; RLI and FSI follow
	fsi          = '\u2068'
	pdi          = '\u2069'
)

// maxMarks is the largest number of consecutive combining marks that pages show. Languages use fewer. More of them would
// cover the lines above and below.
const maxMarks = 6

// isolatedHTML returns a text as a bdi element, or "" for an empty text.
func isolatedHTML(text any) template.HTML {
	s := sanitizeText(fmt.Sprint(text))
	if s == "" {
		return ""
	}
	return template.HTML(`<bdi translate="no">` + template.HTMLEscapeString(s) + `</bdi>`) //nolint:gosec // it is escaped
}

// isolatedPlain returns a text for places that cannot contain elements. It puts FSI and PDI around the text if it
// contains a character that is not written from left to right.
func isolatedPlain(text any) string {
	s := sanitizeText(fmt.Sprint(text))
	if !hasRightToLeft(s) {
		return s
	}
	return string(fsi) + s + string(pdi)
}

// hasRightToLeft reports whether a text contains a character that is written from right to left or controls direction.
func hasRightToLeft(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		p, _ := bidi.LookupRune(r)
		switch p.Class() {
		case bidi.R, bidi.AL, bidi.AN, bidi.LRO, bidi.RLO, bidi.LRE, bidi.RLE, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI, bidi.Control, bidi.B:
			return true
		}
		return false
	})
}

// sanitizeText returns a text in which isolates begin and end in pairs, so that it cannot end the isolate around it. It
// replaces line separators with spaces and removes combining marks beyond maxMarks in a row.
func sanitizeText(text string) string {
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
		case r == '\u2028' || r == '\u2029' || r == '\u0085': // line separators
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

// initial returns the first letter or digit of a name with its combining marks, in upper case. It returns "" if there is
// none.
func initial(name string) string {
	letters := []rune(sanitizeText(name))
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
