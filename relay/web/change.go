package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	maxForm      = 1 << 20 // bytes of a form sent to the page
	noticeCookie = "relay_notice"
)

func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(answerTimeout))
	if !p.door.right(r.PostFormValue("token")) {
		if p.door.wrong(r) {
			http.Error(w, guessedOften, http.StatusTooManyRequests)
			return
		}
		v := p.view(r, "login", "Sign in")
		v.Notice = "This is not the token."
		p.show(w, r, "login", v)
		return
	}
	p.door.enter(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *pages) logout(w http.ResponseWriter, r *http.Request) {
	p.door.leave(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *pages) reload(w http.ResponseWriter, r *http.Request) {
	notice := "Reloaded."
	if !p.relay.Reload(r.Context()).Success {
		notice = "Refused: the configuration before it is still in force."
	}
	back(w, r, "/config", notice)
}

func (p *pages) changeService(w http.ResponseWriter, r *http.Request) {
	name, verb := r.PathValue("service"), r.PathValue("verb")
	here := "/services/" + url.PathEscape(name)
	var n int
	var err error
	notice := map[string]string{Pause: "Paused.", Resume: "Resumed.", Probe: "Probing."}[verb]
	if verb == "replay" {
		notice, err = p.resendForm(r, name)
	} else {
		n, err = p.relay.Change(r.Context(), name, verb, "from the status page")
	}
	if verb == Drop {
		notice = fmt.Sprintf("Made %d dead letters.", n)
		here = "/dead?service=" + url.QueryEscape(name)
	}
	if err != nil {
		notice = err.Error()
	}
	back(w, r, here, notice)
}

// changeDead replays or drops the chosen letters, or all that match.
func (p *pages) changeDead(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	here := "/dead"
	if shown, err := ParseFilter(r.URL.Query()); err == nil && !shown.Empty() {
		here += "?" + shown.Query().Encode()
	}
	f, err := chosen(r)
	if err != nil {
		back(w, r, here, err.Error())
		return
	}
	verb := r.PathValue("verb")
	moved, err := p.relay.move(r.Context(), verb, f, func() {})
	done := map[string]string{Replay: "Replayed", DropLetters: "Dropped"}[verb]
	notice := fmt.Sprintf("%s %d.", done, moved.Count)
	if warning := moved.Warning(); warning != "" {
		notice += " Warning: " + warning + "."
	}
	if err != nil {
		notice += " " + err.Error()
	}
	back(w, r, here, notice)
}

// chosen reads which letters a form means. A form that means all that match
// must say so twice.
func chosen(r *http.Request) (Filter, error) {
	if err := r.ParseForm(); err != nil {
		return Filter{}, err
	}
	f, err := ParseFilter(r.PostForm)
	if err != nil {
		return Filter{}, err
	}
	if r.PostForm.Get("matching") == "" {
		if len(f.Seqs) == 0 {
			return Filter{}, errors.New("no letter was chosen")
		}
		return Filter{Seqs: f.Seqs}, nil
	}
	if r.PostForm.Get("sure") == "" {
		return Filter{}, errors.New("nothing was done: the box beside it was not ticked")
	}
	return f, nil
}

// back sends the browser to a page that says what was done, so that loading it
// again does nothing again.
func back(w http.ResponseWriter, r *http.Request, path, notice string) {
	setNotice(w, base64.RawURLEncoding.EncodeToString([]byte(notice)), 60)
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// takeNotice reads what the page before has to say, once.
func takeNotice(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil {
		return ""
	}
	setNotice(w, "", -1)
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return ""
	}
	return string(text)
}

func setNotice(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: noticeCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
