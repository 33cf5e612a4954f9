package config

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

// tableHeader is the line that begins a table.
var tableHeader = regexp.MustCompile(`^\[+\s*([^\]]*?)\s*\]`)

// SocketOf returns the path of the socket that [intake] or [admin] names, or the
// folder of [queue], by as much of a file as can be read: it need be neither right nor whole. Known is
// false when the file does not parse and the key cannot be found in it; the path
// is the default then. The error is that of reading the file.
func SocketOf(path, table string) (socket string, known bool, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", false, err
	}
	f, problem := parse(path, string(text))
	if problem != nil {
		if f, problem = parse(path, ""); problem != nil {
			return "", false, errors.New(problem.Text)
		}
		if found := socketIn(string(text), table); found != "" {
			return f.abs(found), true, nil
		}
	} else {
		known = true
	}
	c, _ := f.config()
	return map[string]string{"intake": c.Intake.Socket, "admin": c.Admin.Socket, "queue": c.Queue.Dir}[table], known, nil
}

// socketIn looks for a table's socket, or folder, line by line.
func socketIn(text, table string) string {
	in, key := "", "socket"
	if table == "queue" {
		key = "dir"
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if header := tableHeader.FindStringSubmatch(line); header != nil {
			in = header[1]
			continue
		}
		var values map[string]any
		if _, err := toml.Decode(line, &values); err != nil {
			continue
		}
		if below, ok := values[table].(map[string]any); ok && in == "" {
			values = below
		} else if in != table {
			continue
		}
		if socket, ok := values[key].(string); ok {
			return socket
		}
	}
	return ""
}
