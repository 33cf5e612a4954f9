package config

import "time"

// A Service is a web service: what to send, how, and where. What the file
// leaves out comes from [defaults], and from the tag "default" after that.
type Service struct {
	Name            string          `toml:"name" part:"label"`
	Description     string          `toml:"description" part:"label"`
	Group           string          `toml:"group" part:"label"`
	Active          bool            `toml:"active" default:"true" part:"label"`
	Type            string          `toml:"type" default:"http" part:"request"` // "http" or "soap"
	Method          string          `toml:"method" default:"POST" part:"request"`
	URL             string          `toml:"url" part:"request"`
	Headers         []Field         `toml:"headers,secret" part:"request" secret:"header"`
	HMACSecrets     []Field         `toml:"secrets,hidden" part:"request"` // of the filter hmac, by name
	Query           []Field         `toml:"query,secret" part:"request"`
	Params          []Field         `toml:"params,body" part:"request"`
	JSON            string          `toml:"json,body" part:"request"`
	XML             string          `toml:"xml,body" part:"request"`
	Text            string          `toml:"text,body" part:"request"`
	Multipart       []Field         `toml:"multipart,body" part:"request"`
	File            string          `toml:"file,body" part:"request"`
	Body            string          `part:"request"` // which of [BodyKinds] the file gives, be it empty; "": none
	ContentType     string          `toml:"content_type" part:"request"`
	Timezone        *time.Location  `toml:"timezone" default:"UTC" part:"request"`
	Debug           Debug           `toml:"debug" part:"label"`
	AllScriptData   bool            `toml:"all_script_data" part:"request"`
	Mappings        bool            `toml:"mappings" part:"request"`
	Missing         string          `toml:"missing" default:"empty" part:"request"` // "empty" or "reject"
	RecordingAccess string          `toml:"recording_access" part:"request"`        // overrides Recordings.Access; empty: does not
	Order           string          `toml:"order" default:"none" part:"schedule"`   // "none" or "call"
	Concurrency     int             `toml:"concurrency" default:"8" part:"connection"`
	Rate            Rate            `toml:"rate" part:"schedule"`
	Timeout         time.Duration   `toml:"timeout" default:"15s"`
	MaxResponse     int64           `toml:"max_response" default:"64KiB"`
	MaxRate         int64           `toml:"max_rate"`                  // bytes a second of its uploads together; 0: no limit
	KeepAlive       bool            `toml:"keep_alive" default:"true"` // false: a connection for each attempt
	Success         StatusSet       `toml:"success" default:"2xx" part:"request"`
	SuccessBody     string          `toml:"success_body" part:"request"` // a pattern that the body of a success must match; empty: anything
	RetryOn         StatusSet       `toml:"retry_on" default:"3xx 401 403 404 407 408 425 429 5xx" part:"request"`
	RetrySchedule   []time.Duration `toml:"retry_schedule" default:"5s 30s 2m 10m 30m 1h 3h 6h" part:"schedule"`
	MaxAge          time.Duration   `toml:"max_age" default:"7d" part:"schedule"`
	Proxy           Secret          `toml:"proxy" secret:"proxy"` // a URL, which may hold a password
	AllowPrivate    bool            `toml:"allow_private" default:"true"`
	Signing         []Secret        `toml:"signing" part:"request" secret:"signing"`
	Auth            Auth            `toml:"auth,whole"`
	TLS             *TLS            `toml:"tls"`
	Breaker         Breaker         `toml:"breaker" part:"schedule"`
	SOAP            *SOAP           `toml:"soap" part:"request"` // not nil when Type is "soap"
}

// Field is a named template, or a named secret; fields keep the order of the file.
type Field struct {
	Name   string
	Value  string // a template; empty where Secret is set
	Secret Secret // sent as it is
}

// Debug keeps full transcripts of a service's exchanges.
type Debug struct {
	On  bool
	For time.Duration // after which it ends by itself; 0: it does not
}

// Rate is a limit on attempts.
type Rate struct {
	PerSecond float64 // 0: no limit
	PerDay    int     // in any 24 hours; 0: no limit
}

// Auth is how the relay shows an endpoint who it is. At most one is set. What
// stands behind sets is the header that carries it: "own" where the kind names it,
// "none" where there is none.
type Auth struct {
	Basic  *Basic      `toml:"basic" sets:"Authorization"`
	Header *HeaderAuth `toml:"header" sets:"own"`
	Bearer Secret      `toml:"bearer" secret:"header" sets:"Authorization"`
	OAuth2 *OAuth2     `toml:"oauth2" sets:"Authorization"`
	JWT    *JWT        `toml:"jwt" sets:"own"`
	WSSE   *WSSE       `toml:"wsse" sets:"none"`
	AWS    *AWS        `toml:"aws" sets:"Authorization"`
}

// Basic is HTTP basic authentication.
type Basic struct {
	User     string `toml:"user"`
	Password Secret `toml:"password"`
}

// HeaderAuth is a header with a secret value.
type HeaderAuth struct {
	Name  string `toml:"name"`
	Value Secret `toml:"value" secret:"header"`
}

// OAuth2 is how the relay gets tokens.
type OAuth2 struct {
	TokenURL     string   `toml:"token_url"`
	Grant        string   `toml:"grant" default:"client_credentials"` // "client_credentials", "password", "refresh_token" or "jwt_bearer"
	ClientID     string   `toml:"client_id"`
	ClientSecret Secret   `toml:"client_secret"`
	AuthStyle    string   `toml:"auth_style" default:"auto"` // how the client shows who it is: "auto", "basic" or "body"
	Scopes       []string `toml:"scopes"`
	Params       []Field  `toml:"params"` // further parameters of the request, as they are
	User         string   `toml:"user"`   // of the grant password
	Password     Secret   `toml:"password"`
	RefreshToken Secret   `toml:"refresh_token"` // the first one
	Assertion    *JWT     `toml:"assertion"`     // of the grant jwt_bearer
}

// JWT is a JSON Web Token that the relay signs, made anew each time.
type JWT struct {
	Alg     string        `toml:"alg"` // one of JWTAlgs
	Key     Secret        `toml:"key"` // the shared secret, or a private key in PEM form
	KeyID   string        `toml:"key_id"`
	Claims  Claims        `toml:"claims"`
	Expires time.Duration `toml:"expires" default:"5m"`
	Header  string        `toml:"header" default:"Authorization"` // that carries it; Authorization with the word Bearer
	Query   string        `toml:"query"`                          // the parameter that carries it instead; empty: none
}

// AWS is Signature Version 4.
type AWS struct {
	Region       string `toml:"region"`
	Service      string `toml:"service" default:"s3"`
	AccessKey    Secret `toml:"access_key"`
	SecretKey    Secret `toml:"secret_key"`
	SessionToken Secret `toml:"session_token"` // of credentials that end; not set: they do not
}

// Claims are the claims of a token, as a JSON template.
type Claims string

// JWTAlgs returns the algorithms that a [JWT] may be signed with.
func JWTAlgs() []string {
	return []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// WSSE is the WS-Security UsernameToken of a SOAP service.
type WSSE struct {
	User     string `toml:"user"`
	Password Secret `toml:"password"`
	Digest   bool   `toml:"digest"`
}

// Breaker is when an endpoint is left alone, and for how long.
type Breaker struct {
	Failures int           `toml:"failures" default:"5"` // in a row
	Ratio    float64       `toml:"ratio" default:"0.5"`  // of at least Minimum attempts within Window
	Minimum  int           `toml:"minimum" default:"20"`
	Window   time.Duration `toml:"window" default:"30s"`
	Open     time.Duration `toml:"open" default:"15s"` // before the first probe; doubles up to MaxOpen
	MaxOpen  time.Duration `toml:"max_open" default:"5m"`
}

// SOAP is the envelope of a SOAP service.
type SOAP struct {
	Version   string  `toml:"version" default:"1.1"`    // "1.1" or "1.2"
	Style     string  `toml:"style" default:"document"` // "document" or "rpc"
	Operation string  `toml:"operation"`
	Namespace string  `toml:"namespace"`
	Action    string  `toml:"action"`
	Header    string  `toml:"header"` // XML template of the header block
	Params    []Field `toml:"params"`
	Body      string  `toml:"body"` // XML template in place of Operation and Params

	Unreadable string `toml:"unreadable" default:"delivered"` // what a 2xx that is no readable envelope means: "delivered" or "retry"
}
