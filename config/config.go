package config

import (
	"io/fs"
	"net/netip"
	"time"
)

// A Config is one relay.toml, complete and checked. It is not changed after
// [Load] and is safe for concurrent use.
type Config struct {
	Path       string      // of the file, as given to Load
	Intake     Intake      `toml:"intake"`
	Queue      Queue       `toml:"queue"`
	Admin      Admin       `toml:"admin"`
	Recordings *Recordings `toml:"recordings"` // nil: the file has no [recordings], the feature is off
	Defaults   Service     `toml:"defaults"`   // what [defaults] makes of a service that says nothing
	Services   []Service   `toml:"service"`
	Bindings   []Binding   `toml:"binding"`
	Mappings   []Mapping   `toml:"mapping"`
	Sources    []Source    `toml:"source"`

	file *file // positions and findings; nil in a Config made by hand
}

// What a key is when the file does not say stands in its tag "default": a list with
// blanks between its elements, a secret by its environment variable.

// Intake says where events come in.
type Intake struct {
	Socket      string         `toml:"socket,path" default:"run/relay.sock"`
	SocketMode  fs.FileMode    `toml:"socket_mode" default:"0660"`
	SocketGroup string         `toml:"socket_group"`                                       // empty: unchanged
	AllowUsers  []string       `toml:"allow_users"`                                        // user names; empty: whoever may open the socket
	Timezone    *time.Location `toml:"timezone" default:"UTC"`                             // in which times without a zone are read
	Listen      string         `toml:"listen"`                                             // a loopback address; empty: the socket only
	Token       Secret         `toml:"token" default:"RELAY_INTAKE_TOKEN" secret:"header"` // resolved when Listen is set
	MaxEvent    int64          `toml:"max_event" default:"256KiB"`                         // bytes of one event
}

// Queue says where accepted events are kept, and for how long.
type Queue struct {
	Dir          string        `toml:"dir,path" default:"run/queue"`
	MaxBytes     int64         `toml:"max_bytes" default:"6GiB"`
	Keep         time.Duration `toml:"keep" default:"24h"`
	DeadKeep     time.Duration `toml:"dead_keep" default:"30d"`
	DeadMaxBytes int64         `toml:"dead_max_bytes" default:"2GiB"`
	AttemptsKeep time.Duration `toml:"attempts_keep" default:"24h"`
	DedupWindow  time.Duration `toml:"dedup_window" default:"2m"`
	Listen       string        `toml:"listen" default:"127.0.0.1:4222"` // of the embedded queue, for the nats CLI; empty: none
	Servers      []string      `toml:"servers"`                         // of a NATS cluster; empty: the embedded queue
	Credentials  Secret        `toml:"credentials"`                     // resolved when Servers is set
	TLS          *TLS          `toml:"tls"`
	Replicas     int           `toml:"replicas" default:"3"` // in a cluster
	Site         string        `toml:"site"`
	Spool        bool          `toml:"spool"`
	Hub          *Hub          `toml:"hub,item"` // nil: no hub
}

// Hub is a central NATS that the embedded queue joins as a leaf node.
type Hub struct {
	URLs        []string `toml:"urls"`
	Credentials Secret   `toml:"credentials"`
	TLS         *TLS     `toml:"tls"`
	Domain      string   `toml:"domain"` // JetStream domain of this edge
}

// Admin says where the relay is observed and commanded.
type Admin struct {
	Socket string   `toml:"socket,path" default:"run/admin.sock"`
	Listen string   `toml:"listen" default:"127.0.0.1:9464"` // empty: no status page
	Token  Secret   `toml:"token" secret:"header"`           // not set: the page shows counts and states only, and changes nothing
	Hosts  []string `toml:"hosts"`                           // answered besides the loopback names

	TrustedProxies []netip.Prefix `toml:"trusted_proxies"` // whose word on a client's address is believed
}

// Recordings says where recordings lie, and who may fetch them.
type Recordings struct {
	Dir              string        `toml:"dir,path" default:"run/recordings"`
	URL              string        `toml:"url" default:"http://127.0.0.1:8090/recordings"` // what links start with
	Listen           string        `toml:"listen" default:"127.0.0.1:8090"`                // empty: another web server serves them
	Access           string        `toml:"access" default:"signed"`                        // "signed", "basic" or "anonymous"
	Expires          time.Duration `toml:"expires" default:"7d"`
	Keys             []Key         `toml:"keys"`               // the first signs, all verify; resolved where a mode that signs is in use
	Users            []User        `toml:"users"`              // empty unless basic is in use
	Wait             time.Duration `toml:"wait" default:"2m"`  // for a file to be complete; 0: not at all
	Late             time.Duration `toml:"late" default:"24h"` // for a missing one to come; 0: not at all
	AgentPerspective bool          `toml:"agent_perspective"`
	Raw              *Raw          `toml:"raw"` // nil: there are no headerless files
	TLS              *TLS          `toml:"tls"` // of the recording server: Cert and Key; nil: plain HTTP

	TrustedProxies []netip.Prefix `toml:"trusted_proxies"` // whose word on a client's address is believed

	Anonymous bool // links may be made that open by their name: here, or by a service
}

// Key is one of the keys that sign recording links.
type Key struct {
	ID     string `toml:"id"`
	Secret Secret `toml:"secret" secret:"key"`
}

// User may fetch recordings with a password, which is plain text or a bcrypt or
// argon2id hash.
type User struct {
	Name     string `toml:"name"`
	Password Secret `toml:"password"`
}

// Raw is the format of headerless recordings, 16 bit signed little endian.
type Raw struct {
	Rate     int `toml:"rate" default:"8000"` // samples per second
	Channels int `toml:"channels" default:"2"`
}

// TLS is the client or server side of a TLS connection. Paths are absolute; who
// uses the files reads them again when they change.
type TLS struct {
	CA                 string `toml:"ca,path"`
	Cert               string `toml:"cert,path"`
	Key                string `toml:"key,path"`
	ServerName         string `toml:"server_name"`
	MinVersion         string `toml:"min_version"` // "1.2" or "1.3"; empty: 1.2
	InsecureSkipVerify bool   `toml:"insecure_skip_verify"`
	Renegotiation      string `toml:"renegotiation"` // "never" or "once"; empty: never
}
