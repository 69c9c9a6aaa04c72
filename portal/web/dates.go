package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/internal/wallclock"
)

// datePatterns are the date formats of a locale, after CLDR, because golang.org/x/text has none. In a pattern, d is the
// day, M the short name of the month, y the year and E the short name of the weekday.
type datePatterns struct {
	date, weekday string // patterns without and with the weekday
	hour12        bool
	months, days  string // names, separated by spaces; days begin with Sunday
}

var dates = map[string]datePatterns{
	"en-US": {"M d, y", "E, M d, y", true, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "Sun Mon Tue Wed Thu Fri Sat"},
	"pt-PT": {"d M y", "E, d M y", false, "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.", "dom. seg. ter. qua. qui. sex. sáb."},
	"fr-FR": {"d M y", "E d M y", false, "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.", "dim. lun. mar. mer. jeu. ven. sam."},
	"it-IT": {"d M y", "E d M y", false, "gen feb mar apr mag giu lug ago set ott nov dic", "dom lun mar mer gio ven sab"},
	"es-ES": {"d M y", "E, d M y", false, "ene feb mar abr may jun jul ago sept oct nov dic", "dom lun mar mié jue vie sáb"},
	"de-DE": {"d. M y", "E, d. M y", false, "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.", "So Mo Di Mi Do Fr Sa"},
	"nl-NL": {"d M y", "E d M y", false, "jan feb mrt apr mei jun jul aug sep okt nov dec", "zo ma di wo do vr za"},
	"el-GR": {"d M y", "E d M y", false, "Ιαν Φεβ Μαρ Απρ Μαΐ Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ", "Κυρ Δευ Τρί Τετ Πέμ Παρ Σάβ"},
	"pl-PL": {"d M y", "E, d M y", false, "sty lut mar kwi maj cze lip sie wrz paź lis gru", "niedz. pon. wt. śr. czw. pt. sob."},
	"ru-RU": {"d M y г.", "E, d M y г.", false, "янв. февр. мар. апр. мая июн. июл. авг. сент. окт. нояб. дек.", "вс пн вт ср чт пт сб"},
}

// format formats a day with a pattern.
func (d datePatterns) format(pattern string, t time.Time) string {
	return strings.NewReplacer(
		"E", strings.Fields(d.days)[t.Weekday()], "M", strings.Fields(d.months)[t.Month()-1],
		"d", fmt.Sprint(t.Day()), "y", fmt.Sprint(t.Year()),
	).Replace(pattern)
}

// date returns a day with its weekday, such as "Mon, Jun 16, 2025".
func (s *localizer) date(t time.Time) string {
	d := dates[s.locale]
	return d.format(d.weekday, t)
}

// shortDate returns a day without its weekday.
func (s *localizer) shortDate(t time.Time) string {
	d := dates[s.locale]
	return d.format(d.date, t)
}

// dayMonth returns a day without its weekday and its year.
func (s *localizer) dayMonth(t time.Time) string {
	d := dates[s.locale]
	pattern, _, _ := strings.Cut(d.date, "y")
	return d.format(strings.TrimRight(pattern, ", "), t)
}

// weekday returns the short name of the weekday of a day.
func (s *localizer) weekday(t time.Time) string {
	return strings.Fields(dates[s.locale].days)[t.Weekday()]
}

// clock returns a time of day. If clocks are set back and show the time twice on its day, the name of the zone tells
// which one it is, as in "02:30 CET".
func (s *localizer) clock(t time.Time) string {
	form := "15:04"
	if dates[s.locale].hour12 {
		form = "3:04\u00a0PM" // a no-break space
	}
	if wallclock.Repeated(t) {
		form += " MST"
	}
	return t.Format(form)
}

// dateTime returns a day and a time of day.
func (s *localizer) dateTime(t time.Time) string {
	return s.text("moment", "date", s.date(t), "time", s.clock(t))
}
