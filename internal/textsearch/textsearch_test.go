package textsearch_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/customerportal-go/customerportal/internal/textsearch"
)

func TestMatch_CaseAccentsAndPunctuation_AreIgnored(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text, typed string
		want        bool
	}{
		{"Renée Dupont", "renee", true},
		{"Rene\u0301e Dupont", "ren\u00e9e", true},
		{"Ren\u00e9e Dupont", "rene\u0301e", true},
		{"Renee", "renée", true},
		{"Renée Dupont", "dupont renée", true},
		{"Renée Dupont", "Dupont, Renée", true},
		{"Renée Dupont", "upon ne", true},
		{"Renée Dupont", "dupont martin", false},
		{"Renée Dupont", "renéedupont", false},
		{"Weiße Straße", "STRASSE", true},
		{"STRASSE", "straße", true},
		{"GROẞE", "große", true},
		{"İstanbul", "istanbul", true},
		{"istanbul", "İSTANBUL", true},
		{"Işık", "isik", true},
		{"IŞIK", "ışık", true},
		{"Οδυσσεύς", "ΟΔΥΣΣΕΥΣ", true},
		{"ΟΔΥΣΣΕΥΣ", "Οδυσσεύς", true},
		{"Οδυσσεύς", "οδυσσευσ", true},
		{"Фёдор Михайлович", "федор МИХАЙЛОВИЧ", true},
		{"ФЁДОР", "фёдор", true},
		{"Łukasz Żak", "lukasz zak", true},
		{"Søren Ærø", "soren aero", true},
		{"Sinéad O’Brien", "o'brien", true},
		{"Sinéad O'Brien", "O‘Brien", true},
		{"Kaʻiulani", "ka'iulani", true},
		{"Anna‐Lena", "anna-lena", true},
		{"Anna-Lena", "anna–lena", true},
		{"O’Brien", "obrien", false},
		{"Nguyễn", "nguyen", true},
		{"ＲＯＯＭ １０１", "room 101", true},
		{"ﬁtness", "fitness", true},
		{"Zim\u00admer\u200b 1", "zimmer 1", true},
		{"각하", "\u1100\u1161\u11a8", true},
		{"٥٤١", "541", true},
		{"Room\u00a0101", "room 101", true},
		{"Room 101", "101 - room", true},
		{"Room 101", "101 –", true},
		{"A - B", "-", true},
		{"AB", "-", false},
		{"Room", "", true},
		{"Room", " \t\u200b", true},
		{"C++", "c++", true},
		{"100 €", "€", true},
		{"100 $", "€", false},
	} {
		q := textsearch.Parse(row.typed)
		var texts textsearch.Texts
		texts.Add(row.text)
		require.Equal(t, row.want, q.Match(&texts), "%q in %q", row.typed, row.text)
	}
}

func TestMatch_WordsInDifferentTexts_Matches(t *testing.T) {
	t.Parallel()
	var grant, guest textsearch.Texts
	grant.Add("stay-17", "")
	guest.Add("Ada Lovelace")
	guest.AddPhone("(541)639-5376x7242")
	for typed, want := range map[string]bool{
		"ada 17": true, "stay ada": true, "lovelace stay-17": true, "ada 18": false,
		"17 Ada": true, "17Ada": false, "lace\nstay": true,
	} {
		q := textsearch.Parse(typed)
		require.Equal(t, want, q.Match(&grant, &guest), typed)
	}
	typed := textsearch.Parse("17ada") // a word does not match across two texts
	require.False(t, typed.Match(&grant, &guest))
}

func TestMatch_PhoneNumbers_IgnorePunctuation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		phone, typed string
		want         bool
	}{
		{"(541)639-5376x7242", "541 639", true},
		{"(541)639-5376x7242", "541639", true},
		{"(541)639-5376x7242", "541-639-5376", true},
		{"(541)639-5376x7242", "541.639.5376", true},
		{"(541)639-5376x7242", "(541) 639-5376", true},
		{"(541)639-5376x7242", "x7242", true},
		{"(541)639-5376x7242", "5391", false},
		{"+33 6 12 34 56 78", "06 12 34 56 78", true},
		{"+33612345678", "06 12 34 56 78", true},
		{"+33612345678", "0033 6 12 34 56 78", true},
		{"+49 170 1234567", "0170/1234567", true},
		{"+49 170 1234567", "0170", false}, // too short for the leading zero to be removed
		{"06 12 34 56 78", "0612", true},
		{"+33612345678", "00", false},
		{"٠٥٤١-٦٣٩", "541639", true},
		{"N/A", "n/a", true},
		{"N/A", "-", false},
	} {
		q := textsearch.Parse(row.typed)
		var texts textsearch.Texts
		texts.AddPhone(row.phone)
		require.Equal(t, row.want, q.Match(&texts), "%q in %q", row.typed, row.phone)
	}
	name := textsearch.Parse("541 639 Ada")
	var texts textsearch.Texts
	texts.Add("Ada")
	texts.AddPhone("(541)639-5376")
	require.True(t, name.Match(&texts))
}

func TestMatch_IDs_NeedWordsOfFourCharacters(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{"67C5": true, "67c58f1f-f148": true, "67c": false, "7": false, "67c5 ada": true, "9999": false} {
		q := textsearch.Parse(typed)
		var texts textsearch.Texts
		texts.Add("Ada")
		texts.AddID("67c58f1f-f148-4415-a63c-dc6c145c6b91")
		require.Equal(t, want, q.Match(&texts), typed)
	}
}

// iotaBelow is a combining mark, which AppendFold removes, but Unicode case folding turns it
// into a letter.
const iotaBelow = '\u0345'

// TestFold_EveryCharacter_AgreesWithUnicode compares the folded form of every character with
// those of the characters that, by the Unicode tables, differ only in case or decomposition.
func TestFold_EveryCharacter_AgreesWithUnicode(t *testing.T) {
	t.Parallel()
	fold := cases.Fold()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
			continue
		}
		if strings.ContainsRune(norm.NFD.String(string(r)), iotaBelow) || len(norm.NFKD.String(string(r))) == len(string(r)) && unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		s, want := string(r), textsearch.Fold(string(r))
		for _, other := range []string{
			norm.NFC.String(s), norm.NFD.String(s), norm.NFKC.String(s), norm.NFKD.String(s),
			strings.ToUpper(s), strings.ToLower(s), strings.ToTitle(s), fold.String(s),
			textsearch.Fold(s),
		} {
			if got := textsearch.Fold(other); got != want {
				t.Errorf("%U: %q folds to %q, and %q to %q", r, s, want, other, got)
			}
		}
		if unicode.Is(unicode.Mn, r) {
			require.Empty(t, want, "%U", r)
		}
	}
}

func TestFold_DigitsOfEveryScript_AreASCII(t *testing.T) {
	t.Parallel()
	for _, zero := range []rune{'0', 0x660, 0x6f0, 0x7c0, 0x966, 0xe50, 0xff10, 0x1d7ce, 0x1d7d8, 0x1fbf0} {
		for value := range rune(10) {
			require.Equal(t, string('0'+value), textsearch.Fold(string(zero+value)), "%U", zero+value)
		}
	}
}

func FuzzMatch_TextMatchesItself(f *testing.F) {
	f.Add("Renée, Dupont")
	f.Add("(541)639-5376x7242")
	f.Add("\xff\u0345ᾳ")
	f.Fuzz(func(t *testing.T, text string) {
		var texts textsearch.Texts
		texts.Add(text)
		q := textsearch.Parse(text)
		require.True(t, q.Match(&texts))
		decomposed := textsearch.Parse(norm.NFD.String(strings.ToLower(text)))
		require.True(t, decomposed.Match(&texts))
	})
}

func BenchmarkAppendFold(b *testing.B) {
	for name, s := range map[string]string{"ascii": "Ada Lovelace, Room 101", "latin": "Renée Dupont, Étage 2", "cyrillic": "Фёдор Достоевский", "cjk": "東京スカイツリー101"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = textsearch.AppendFold(buf[:0], s)
			}
		})
	}
}
