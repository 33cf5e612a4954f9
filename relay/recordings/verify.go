package recordings

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"unicode"

	"callrelay/relay/limit"
)

var (
	errVerifyRequest = errors.New("request has no X-Original-URI or another method than GET and HEAD")
	errVerifySlice   = errors.New("slices are served by the relay alone")
	errVerifyName    = errors.New("name cannot stand in a header")
)

// VerifyHandler judges requests for another web server that serves the files,
// such as nginx with auth_request: X-Original-URI holds what was requested,
// X-Original-Method how and, when it comes from a trusted proxy, X-Real-IP by whom. The answer is 204, with the path
// of the file below the folder in X-Recording-Path, or 401 or 403. What is to
// be sent is that path: the name in the request may be a token. A slice is
// refused, for the other server would send the whole.
func (r *responder) VerifyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		client := limit.Client(req, r.settings.Load().TrustedProxies)
		name, err := r.verify(req, client)
		if err != nil {
			r.guessed(req.Context(), client, err) // the client gets the reason in any case
			r.log.Info("recording refused", "client", client, "err", err)
			refuse(w, verdict(err), false)
			return
		}
		w.Header().Set("X-Recording-Path", name)
		w.WriteHeader(http.StatusNoContent)
	})
}

func (r *responder) verify(req *http.Request, client netip.Addr) (string, error) {
	uri := req.Header.Values("X-Original-Uri")
	method := req.Header.Get("X-Original-Method")
	if len(uri) != 1 || method != http.MethodGet && method != http.MethodHead {
		return "", errVerifyRequest
	}
	ask := request{client: client}
	ask.path, ask.query, _ = strings.Cut(uri[0], "?")
	ask.name, ask.password, ask.login = req.BasicAuth()
	g, err := r.admit(req.Context(), r.settings.Load(), ask)
	if err != nil {
		return "", err
	}
	if !g.slice.Whole() {
		return "", errVerifySlice
	}
	if strings.ContainsFunc(g.name, unicode.IsControl) {
		return "", errVerifyName
	}
	// what is not there is for the other server to say
	name, _, err := r.root.find(g.name)
	if err != nil && !gone(err) && !barred(err) {
		return "", err
	}
	return name, nil
}

// verdict turns an error into the statuses that auth_request passes on.
func verdict(err error) error {
	status := http.StatusForbidden
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusUnauthorized {
		status = r.status
	}
	return &refusal{status: status, cause: err}
}
