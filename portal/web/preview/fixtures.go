package preview

import (
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// customerOf is the key of the customer in each vertical.
var customerOf = map[portal.Vertical]string{
	portal.VerticalNeutral: "Northgate Workspaces", portal.VerticalShortTermRental: "Alfama Stays",
	portal.VerticalHospitality: "Casa Lusitana Hotels", portal.VerticalMultiFamily: "Elmwood Residences",
	portal.VerticalGymManagement: "Iron & Oak Gyms", portal.VerticalPropertyTours: "Harbour View Lettings",
}

// profiles are the profiles of the portals in each vertical. The primary colour of one of them is too light to read.
var profiles = map[portal.Vertical]portal.Profile{
	portal.VerticalHospitality: {Name: "Casa Lusitana", Theme: portal.Theme{PrimaryColor: "#7a1f3d", SecondaryColor: "#c9a227", FontFamily: "Noto Serif, Georgia, serif"},
		MessageOverrides: map[string]map[string]string{"en-US": {"start.title": "Good day, Casa Lusitana"}}},
	portal.VerticalShortTermRental: {Name: "Alfama", Theme: portal.Theme{PrimaryColor: "#ffd23f"}},
	portal.VerticalMultiFamily:     {Name: "Elmwood", Theme: portal.Theme{PrimaryColor: "#24527a", PrimaryForegroundColor: "#24527b"}},
	portal.VerticalGymManagement:   {Name: "Iron & Oak", Theme: portal.Theme{PrimaryColor: "#111111", SecondaryColor: "#e4572e"}},
	portal.VerticalPropertyTours:   {Name: "Harbour View", Theme: portal.Theme{PrimaryColor: "#0b7285"}},
	portal.VerticalNeutral:         {Name: "Northgate"},
}

// kindsOf are the kinds of the resources in each vertical.
var kindsOf = map[portal.Vertical]struct {
	space, user, grant data.Kind
	label              string // of a space
	inSite             bool
}{
	portal.VerticalNeutral:         {data.KindSpace, data.KindUserIdentity, data.KindBooking, "Desk", true},
	portal.VerticalShortTermRental: {data.KindPropertyListing, data.KindGuest, data.KindReservation, "Apartment", false},
	portal.VerticalHospitality:     {data.KindRoom, data.KindGuest, data.KindBooking, "Room", true},
	portal.VerticalMultiFamily:     {data.KindUnit, data.KindTenant, data.KindAccessGrant, "Unit", true},
	portal.VerticalGymManagement:   {data.KindFacility, data.KindUser, data.KindAccessGrant, "Studio", false},
	portal.VerticalPropertyTours:   {data.KindSpace, data.KindUser, data.KindBooking, "Show flat", true},
}

var sites = []struct{ key, name string }{{"chiado", "Lisbon Chiado"}, {"ribeira", "Porto Ribeira"}, {"marina", "Faro Marina"}}

var people = []string{
	"Ada Lovelace", "João Carvalho", "Μαρία Παπαδοπούλου", "Łukasz Wiśniewski", "Françoise Lefèvre", "Иван Петров",
	"Greta Schröder", "Luca De Santis", "Carmen Núñez", "Anneke van den Berg", "Yuki Tanaka", "Amina Yusuf", "Noah Bennett", "Priya Raman",
}

const day = 24 * time.Hour

// fixtures returns the data of a vertical, with dates around now.
func fixtures(vertical portal.Vertical, now time.Time) []data.CustomerData {
	kinds := kindsOf[vertical]
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	d := data.CustomerData{CustomerKey: customerOf[vertical], CustomerName: customerOf[vertical]}
	for i, site := range sites {
		if kinds.inSite {
			d.Add(data.Site(site.key, site.name))
		}
		for n := 1; n <= 14; n++ {
			s := data.Space{Kind: kinds.space, Key: fmt.Sprintf("%s-%02d", site.key, n), Name: fmt.Sprintf("%s %d%02d", kinds.label, i+1, n)}
			if kinds.inSite {
				s.ParentSiteKey = site.key
			}
			if kinds.space == data.KindPropertyListing {
				s.Name += ", " + site.name
				s.CustomMetadata = data.CustomMetadata{"owner": []string{"Marta", "Rui"}[n%2]}
			}
			d.Add(s)
		}
		if vertical == portal.VerticalHospitality || vertical == portal.VerticalMultiFamily {
			d.Add(data.CommonArea(site.key+"-pool", "Rooftop pool").In(site.key), data.CommonArea(site.key+"-gym", "Fitness room").In(site.key))
		}
		for n := range 14 {
			u := data.UserIdentity{Kind: kinds.user, Key: fmt.Sprintf("g-%d-%02d", i, n), Name: people[(n+i)%len(people)], PhoneNumber: fmt.Sprintf("+351 21 555 %02d%02d", i, n)}
			u.EmailAddress = fmt.Sprintf("guest%d.%02d@mail.example", i, n)
			d.Add(u)
			d.Add(stay(kinds.grant, kinds.space, i, n, today))
		}
	}
	staff := []string{"Beatriz Ramos", "Tomás Oliveira", "Inês Figueira", "Duarte Pinho"}
	for i, name := range staff {
		s := data.StaffMember(fmt.Sprint("s-", i+1), name, data.Refs(kinds.space, "chiado-01", "chiado-02", "ribeira-01", "ribeira-02")[:1+i]...)
		s.EmailAddress = fmt.Sprintf("staff%d@lusitana.example", i+1)
		switch i {
		case 2:
			s = s.During(today.AddDate(0, 0, 14), time.Time{})
		case 3:
			s = s.During(today.AddDate(0, -1, 0), today.AddDate(0, 2, 0))
		}
		d.Add(s)
	}
	out := []data.CustomerData{d}
	if vertical == portal.VerticalHospitality {
		out = append(out, data.CustomerData{CustomerKey: "Newcomer Inns", CustomerName: "Newcomer Inns"}, hostile(today))
	}
	return out
}

// stay returns an access grant. Of 14 consecutive ones, some have ended, some begin or end today, and some are in the
// future.
func stay(kind, space data.Kind, site, n int, today time.Time) data.AccessGrant {
	from := today.Add(time.Duration(n-7) * day).Add(time.Duration(15+3*site) * time.Hour)
	until := from.Add(time.Duration(1+n%4)*day - 4*time.Hour)
	g := data.AccessGrant{
		Kind: kind, Key: fmt.Sprintf("b-%d-%02d", site, n),
		User:     data.Ref{Kind: userOf(kind, space), Key: fmt.Sprintf("g-%d-%02d", site, n)},
		Spaces:   data.Refs(space, fmt.Sprintf("%s-%02d", sites[site].key, n%14+1)),
		StartsAt: from, EndsAt: until, PreferredCode: fmt.Sprintf("%d%03d", 4+site, 111+n*7),
	}
	switch {
	case n%5 == 3:
		g.Spaces = append(g.Spaces, data.Ref{Kind: space, Key: fmt.Sprintf("%s-%02d", sites[site].key, (n+1)%14+1)})
		g.StartsAt, g.EndsAt = today.Add(-2*day+15*time.Hour), today.Add(2*day+11*time.Hour)
	case n == 0:
		g.EndsAt = time.Time{}
	}
	if kind == data.KindReservation {
		g.Name = fmt.Sprintf("Reservation %d", 48200+100*site+n)
		g.CustomMetadata = data.CustomMetadata{"owner": []string{"Marta", "Rui"}[(n+1)%2], "channel": "Direct"}
	}
	return g
}

// userOf returns the kind of the user of a grant.
func userOf(grant, space data.Kind) data.Kind {
	for _, kinds := range kindsOf {
		if kinds.grant == grant && kinds.space == space {
			return kinds.user
		}
	}
	return data.KindUserIdentity
}

// hostile returns a customer whose texts attempt to inject markup and scripts.
func hostile(today time.Time) data.CustomerData {
	d := data.CustomerData{CustomerKey: `<script>alert(1)</script> & "Sons"`, CustomerName: "<script>alert(1)</script> & \u202e\"Sons\""}
	room := data.Room(`x"><img src=x onerror=alert(1)>`, "\"><svg onload=alert(1)> \u202egnp.exe")
	guest := data.Guest("../../{{.}}?a=b&c#d", "{{.Token}} 𝕬𝖉𝖆 👩‍🚀 "+"verylongnamewithoutanyspacebetweenitsletters")
	guest.EmailAddress, guest.PhoneNumber = "a+<b>@mail.example", `"><img src=x onerror=alert(3)>`
	staff := data.StaffMember("javascript:alert(1)", "</title><script>alert(2)</script>", room.Ref())
	staff.EmailAddress = "<svg/onload=alert(4)>@mail.example"
	plain := data.PlainSpace("'x", "<iframe srcdoc='<script>alert(5)</script>'>")
	plain.Details.Address = "<img src=x onerror=alert(6)>\u2066𝕬"
	stay := data.Reservation("'\"><b>", guest.Ref(), plain.Ref()).During(today, today.Add(3*day))
	stay.Name, stay.PreferredCode = "<a href=javascript:alert(7)>stay</a>", "<u>1234"
	stay.CustomMetadata = data.CustomMetadata{"<b onclick=alert(8)>": "<form action=https://evil.example><button>"}
	d.Add(data.Site("a/b", "Site / with %2F and ?"), room, plain, guest, staff, stay,
		data.Booking("%00/..;", guest.Ref(), room.Ref()).During(today, today.Add(3*day)))
	return d
}
