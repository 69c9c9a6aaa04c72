package textsearch

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tableEnd is the exclusive end of the characters whose folded forms are cached in a table. They
// include the Latin, Greek, Cyrillic, Armenian and Hebrew scripts and the combining marks.
const tableEnd = 0x600

// The range of the CJK unified ideographs, which have no decomposition and no case.
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

// spelled maps characters to the ASCII characters that people type if their keyboard does not have them. It contains
// apostrophes, hyphens, and lower-case letters that Unicode does not decompose.
var spelled = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i", 'ŧ': "t", 'ŋ': "n", 'ĸ': "k",
	'’': "'", '‘': "'", 'ʼ': "'", 'ʻ': "'", '′': "'",
	'‐': "-", '‒': "-", '–': "-", '−': "-",
}

// foldRune returns the folded form of one character. The folded form of a text is the
// concatenation of those of its characters: decomposition reorders only marks, and marks are
// removed.
func foldRune(r rune) string {
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		if ignored(d) {
			continue
		}
		// Convert to upper case first: some letters, such as the Greek sigma, have two lower-case forms.
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

// ignored reports whether folding removes a character: a combining mark or an invisible
// character.
func ignored(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) }

// decimal returns the ASCII digit for a decimal digit of any script, and false for other characters.
func decimal(r rune) (byte, bool) {
	if !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	// The digits of a script are ten consecutive characters. The character before the zero is
	// not a digit, or it is the nine of another script.
	value := byte(0)
	for prev := r - 1; unicode.Is(unicode.Nd, prev) && r-prev <= 0x40; prev-- {
		value++
	}
	return '0' + value%10, true
}
