package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guardHost answers only requests whose Host is a loopback name or one of
// hosts. A page elsewhere that resolves its own name to this machine (DNS
// rebinding) sends its own name as Host and is refused, whatever the path.
func guardHost(hosts func() []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hostAllowed(r.Host, hosts()) {
			http.Error(w, "this host name is not answered; admin.hosts lists further ones", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostAllowed(host string, further []string) bool {
	name := hostName(host)
	if name == "localhost" {
		return true
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.Unmap().IsLoopback() {
		return true
	}
	return name != "" && slices.ContainsFunc(further, func(h string) bool { return hostName(h) == name })
}

// hostName is host without its port, brackets, final dot and letter case.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
