package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"time"
)

//go:embed page
var pageFiles embed.FS

const (
	shownAttempts = 50
	shownLetters  = 50
	shownTroubles = 12
	groupedOver   = 500 // letters, the newest ones, that errors are counted in
)

// view is what the templates of all pages see.
type view struct {
	Title, Here string
	Full        bool // the visitor knows the token
	CanLogin    bool
	Notice      string
	Status      Status
	Now         time.Time

	Totals   totals
	Troubles []Trouble // the first of them
	More     int       // how many there are besides
	Services []Service // those in trouble first, then by name
	Sparks   map[string]Sparks
	Plots    []plot

	Service     Service
	Bindings    []string
	URL         string
	Attempts    []Attempt
	Transcripts []Transcript

	Filter  Filter
	Reasons []string
	Groups  []letterGroup
	Letters []Letter
	Earlier string // the next page of letters

	Settings string
}

// totals are sums over all services.
type totals struct {
	Owed, Retrying, Dead int
	PerMinute            float64
}

func totalsOf(st Status) totals {
	t := totals{Dead: st.Letters("", "")}
	for _, s := range st.Services {
		t.Owed += s.Owed()
		t.Retrying += s.Retrying
		t.PerMinute += s.PerMinute
	}
	return t
}

// pages is the status page: plain documents, rendered here.
type pages struct {
	relay     Relay
	door      *door
	history   *history
	templates *template.Template

	public, publicLive shared // for who does not know the token
}

func parsePages() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"age": Words, "size": Size, "latency": Latency, "n": Thousands,
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" },
		"hour":  func(t time.Time) string { return t.UTC().Format("15:04:05 UTC") },
		"local": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format("2006-01-02T15:04")
		},
		"text": recordText, "advice": Advice,
		"act": func(verb, label, service string) action { return action{verb, label, service} },
	}).ParseFS(pageFiles, "page/*.html"))
}

// action is a button.
type action struct{ Verb, Label, Service string }

// routes adds the pages to mux. What changes something comes by POST, from the
// page itself, and from who knows the token.
func (p *pages) routes(mux *http.ServeMux) {
	p.public.render = func() ([]byte, error) { return render(p.templates, "services", p.servicesView(nil)) }
	p.publicLive.render = func() ([]byte, error) { return liveEvent(p.templates, "services-live", p.servicesView(nil)) }
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	static := http.StripPrefix("/page/", http.FileServerFS(files))
	for _, name := range []string{"style.css", "live.js", "icon.svg"} {
		mux.Handle("GET /page/"+name, secure(static))
	}
	mux.Handle("GET /{$}", secure(http.HandlerFunc(p.services)))
	mux.Handle("GET /live", secure(p.liveServices()))
	mux.Handle("GET /login", secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, "login", p.view(r, "login", "Sign in"))
	})))
	mux.Handle("GET /services/{service}", p.private(p.service))
	mux.Handle("GET /live/{service}", p.private(atOnce(maxVisitors, http.HandlerFunc(p.liveService)).ServeHTTP))
	mux.Handle("GET /dead", p.private(p.dead))
	mux.Handle("GET /dead/{seq}", p.private(p.letter))
	mux.Handle("GET /config", p.private(p.config))

	own := http.NewCrossOriginProtection()
	change := func(pattern string, h http.Handler) { mux.Handle(pattern, secure(own.Handler(h))) }
	change("POST /login", http.HandlerFunc(p.login))
	change("POST /logout", http.HandlerFunc(p.logout))
	change("POST /reload", p.private(p.reload))
	change("POST /services/{service}/{verb}", p.private(p.changeService))
	change("POST /dead/{verb}", p.private(p.changeDead))
}

// private answers who knows the token, and sends others to sign in.
func (p *pages) private(next http.HandlerFunc) http.Handler {
	return secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.door.knows(r):
			next(w, r)
		case !p.door.open():
			http.Error(w, "set admin.token to see this", http.StatusForbidden)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			http.Error(w, "sign in first", http.StatusUnauthorized)
		}
	}))
}

// secure keeps a page from being framed, cached, or made to load anything that
// is not its own.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// view is the beginning of every page; without a request, of one without the
// token.
func (p *pages) view(r *http.Request, here, title string) view {
	return view{
		Title: title, Here: here,
		Full: r != nil && p.door.knows(r), CanLogin: p.door.open(),
		Status: p.relay.Status(), Now: time.Now(),
	}
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, name string, v view) {
	if notice := takeNotice(w, r); notice != "" {
		v.Notice = notice
	}
	page, err := render(p.templates, name, v)
	writePage(w, page, err)
}

func render(t *template.Template, name string, v view) ([]byte, error) {
	var page bytes.Buffer
	err := t.ExecuteTemplate(&page, name, v)
	return page.Bytes(), err
}

func writePage(w http.ResponseWriter, page []byte, err error) {
	if err != nil {
		http.Error(w, "page not rendered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page)
}

func (p *pages) services(w http.ResponseWriter, r *http.Request) {
	if !p.door.knows(r) {
		page, err := p.public.get()
		writePage(w, page, err)
		return
	}
	p.show(w, r, "services", p.servicesView(r))
}

func (p *pages) servicesView(r *http.Request) view {
	v := p.view(r, "services", "Services")
	v.Totals, v.Plots = totalsOf(v.Status), p.history.plots()
	shown := min(len(v.Status.Troubles), shownTroubles)
	v.Troubles, v.More = v.Status.Troubles[:shown], len(v.Status.Troubles)-shown
	v.Services = v.Status.byTrouble()
	v.Sparks = make(map[string]Sparks, len(v.Services))
	for _, s := range v.Services {
		v.Sparks[s.Name] = p.history.outcomes(s.Name, v.Now)
	}
	return v
}

func (p *pages) service(w http.ResponseWriter, r *http.Request) {
	v, err := p.serviceView(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if v.Transcripts, err = p.relay.Attempts.Transcripts(r.Context(), v.Service.Name, shownAttempts); err != nil {
		v.Notice = err.Error()
	}
	p.show(w, r, "service", v)
}

func (p *pages) serviceView(r *http.Request) (view, error) {
	name := r.PathValue("service")
	v := p.view(r, "service", name)
	i := slices.IndexFunc(v.Status.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return v, fmt.Errorf("%w: %q", ErrNoService, name)
	}
	v.Service = v.Status.Services[i]
	v.Bindings, v.URL = p.relay.Feeds(name)
	v.Sparks = map[string]Sparks{name: p.history.outcomes(name, v.Now)}
	var err error
	if v.Attempts, err = p.relay.Attempts.Attempts(r.Context(), name, shownAttempts); err != nil {
		v.Notice = err.Error()
	}
	return v, nil
}

func (p *pages) dead(w http.ResponseWriter, r *http.Request) {
	v := p.view(r, "dead", "Dead letters")
	f, err := ParseFilter(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v.Filter, v.Reasons = f, deadReasons(v.Status)
	read := f
	read.Newest = groupedOver
	err = p.relay.Letters.Letters(r.Context(), read, func(l Letter) bool {
		v.Letters = append(v.Letters, l)
		return true
	})
	if err = cmp.Or(v.Status.Known(f.Service), err); err != nil {
		v.Notice = err.Error()
	}
	if (Filter{Service: f.Service, Reason: f.Reason}).Query().Encode() == f.Query().Encode() {
		v.Groups = groupLetters(v.Status, f, v.Letters)
	}
	if len(v.Letters) > shownLetters {
		f.Until = v.Letters[shownLetters-1].Buried
		v.Earlier = "/dead?" + f.Query().Encode()
		v.Letters = v.Letters[:shownLetters]
	}
	p.show(w, r, "dead", v)
}

// letter shows one dead letter, what was sent, and the answer.
func (p *pages) letter(w http.ResponseWriter, r *http.Request) {
	f, err := ParseFilter(url.Values{"seq": {r.PathValue("seq")}})
	v := p.view(r, "dead", "Dead letter "+r.PathValue("seq"))
	if err == nil {
		err = p.relay.Letters.Letters(r.Context(), f, func(l Letter) bool {
			v.Letters = append(v.Letters, l)
			return false
		})
	}
	if err == nil && len(v.Letters) > 0 {
		err = p.relay.Letters.Story(r.Context(), &v.Letters[0])
	}
	if len(v.Letters) == 0 {
		http.Error(w, "no such dead letter", http.StatusNotFound)
		return
	}
	if err != nil {
		v.Notice = err.Error()
	}
	v.Attempts, v.Transcripts = v.Letters[0].Tries, v.Letters[0].Exchanges
	p.show(w, r, "letter", v)
}

func (p *pages) config(w http.ResponseWriter, r *http.Request) {
	v := p.view(r, "config", "Configuration")
	v.Settings = p.relay.Settings()
	p.show(w, r, "config", v)
}
