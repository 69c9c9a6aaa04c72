package textsearch

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tableEnd is the end of the characters whose folds are kept in a table: those of the
// Latin, Greek, Cyrillic, Armenian and Hebrew scripts, and the combining marks.
const tableEnd = 0x600

// The CJK unified ideographs, which have no decomposition and no case.
const (
	firstUnified = 0x4e00
	lastUnified  = 0x9fff
)

var table = sync.OnceValue(func() *[tableEnd]string {
	var out [tableEnd]string
	for r := range out {
		out[r] = foldRune(rune(r))
	}
	return &out
})

// spelled are the letters that Unicode does not decompose, in lower case, the apostrophes and
// the hyphens, and what people type who do not have them on their keyboard.
var spelled = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i", 'ŧ': "t", 'ŋ': "n", 'ĸ': "k",
	'’': "'", '‘': "'", 'ʼ': "'", 'ʻ': "'", '′': "'",
	'‐': "-", '‒': "-", '–': "-", '−': "-",
}

// foldRune returns the fold of one character. That of a text is the folds of its
// characters, since decomposition only reorders marks, which are left out.
func foldRune(r rune) string {
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		if ignored(d) {
			continue
		}
		// Upper case first, for letters with two lower cases, such as the Greek sigma.
		for _, d := range norm.NFKD.String(string(unicode.ToLower(unicode.ToUpper(d)))) {
			if ignored(d) {
				continue
			}
			if s, ok := spelled[d]; ok {
				b.WriteString(s)
			} else if digit, ok := decimal(d); ok {
				b.WriteByte(digit)
			} else {
				b.WriteRune(d)
			}
		}
	}
	return b.String()
}

// ignored reports whether a character does not count: a mark that is combined with the
// letter before it, or one that is not visible.
func ignored(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) }

// decimal returns the ASCII digit of a decimal digit of any script.
func decimal(r rune) (byte, bool) {
	if !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	// The digits of a script are ten characters in a row, whose zero follows no digit, or
	// the nine of another row.
	value := byte(0)
	for prev := r - 1; unicode.Is(unicode.Nd, prev) && r-prev <= 0x40; prev-- {
		value++
	}
	return '0' + value%10, true
}
