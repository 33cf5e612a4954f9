package config

import (
	"cmp"
	"time"
)

// Defaults of [intake].
const (
	DefaultIntakeSocket = "run/relay.sock"
	DefaultSocketMode   = 0o660
	DefaultIntakeToken  = "RELAY_INTAKE_TOKEN" // environment variable
	DefaultMaxEvent     = 256 << 10
)

// Defaults of [queue].
const (
	DefaultQueueDir     = "run/queue"
	DefaultMaxBytes     = 6 << 30             // of EVENTS and RETRY
	DefaultKeep         = 24 * time.Hour      // delivered events, for replay
	DefaultDeadKeep     = 30 * 24 * time.Hour // dead letters
	DefaultDeadMaxBytes = 2 << 30
	DefaultAttemptsKeep = 24 * time.Hour // ATTEMPTS and DEBUG
	DefaultDedupWindow  = 2 * time.Minute
	DefaultQueueListen  = "127.0.0.1:4222"
	DefaultReplicas     = 3 // in a cluster
)

// Defaults of [admin].
const (
	DefaultAdminSocket = "run/admin.sock"
	DefaultAdminListen = "127.0.0.1:9464"
)

// Defaults of [recordings], where there is one.
const (
	DefaultRecordingsDir    = "run/recordings"
	DefaultRecordingsURL    = "http://127.0.0.1:8090/recordings"
	DefaultRecordingsListen = "127.0.0.1:8090"
	DefaultAccess           = "signed"
	DefaultExpires          = 7 * 24 * time.Hour // counted from the attempt
	DefaultKeyID            = "k1"
	DefaultRecordingKey     = "RELAY_RECORDING_KEY" // environment variable
	DefaultWait             = 2 * time.Minute       // for a recording to be complete
	DefaultLate             = 24 * time.Hour        // for one that was missing
	DefaultRawRate          = 8000                  // samples per second
	DefaultRawChannels      = 2
)

// Defaults of a [[service]] that [defaults] says nothing of.
const (
	DefaultType        = "http"
	DefaultMethod      = "POST"
	DefaultMissing     = "empty"
	DefaultOrder       = "none"
	DefaultConcurrency = 8
	DefaultTimeout     = 15 * time.Second // one attempt, connect to last byte
	DefaultMaxResponse = 64 << 10
	DefaultMaxAge      = 7 * 24 * time.Hour // counted from acceptance
	DefaultSOAPVersion = "1.1"
	DefaultSOAPStyle   = "document"
	DefaultUnreadable  = "delivered"
	DefaultGrant       = "client_credentials"
	DefaultAuthStyle   = "auto"
	DefaultJWTExpires  = 5 * time.Minute
	DefaultAWSService  = "s3"
)

// Defaults of a breaker.
const (
	DefaultFailures = 5 // in a row
	DefaultRatio    = 0.5
	DefaultMinimum  = 20 // attempts, before the ratio counts
	DefaultWindow   = 30 * time.Second
	DefaultOpen     = 15 * time.Second // before the first probe
	DefaultMaxOpen  = 5 * time.Minute
)

// Types of a [[source]].
const (
	SourceAsterisk   = "asterisk"
	SourceFreeSWITCH = "freeswitch"
)

// Defaults of a [[source]].
const (
	DefaultSourceType = SourceAsterisk
	DefaultSourceUser = "relay"

	DefaultAsteriskAddress    = "127.0.0.1:5038"
	DefaultAsteriskPassword   = "RELAY_AMI_SECRET" // environment variable
	DefaultFreeSWITCHAddress  = "127.0.0.1:8021"
	DefaultFreeSWITCHPassword = "RELAY_ESL_PASSWORD" // environment variable
)

// DefaultSuccess returns the statuses that mean delivered.
func DefaultSuccess() StatusSet { return StatusSet{[]statuses{{200, 299}}} }

// DefaultRetryOn returns the statuses that speak of the endpoint, so that the
// delivery is held.
func DefaultRetryOn() StatusSet {
	return StatusSet{[]statuses{
		{300, 399}, {401, 401}, {403, 403}, {404, 404}, {407, 407}, {408, 408}, {425, 425}, {429, 429}, {500, 599},
	}}
}

// DefaultRetrySchedule returns the delays between attempts; the last repeats.
func DefaultRetrySchedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
		30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
	}
}

// setDefaults fills a struct that v points at with what it is when the file
// says nothing.
func setDefaults(v any) {
	if v, ok := v.(interface{ setDefaults() }); ok {
		v.setDefaults()
	}
}

func (i *Intake) setDefaults() {
	*i = Intake{
		Socket:     DefaultIntakeSocket,
		SocketMode: DefaultSocketMode,
		Timezone:   time.UTC,
		Token:      fromEnv(DefaultIntakeToken),
		MaxEvent:   DefaultMaxEvent,
	}
}

func (q *Queue) setDefaults() {
	*q = Queue{
		Dir:          DefaultQueueDir,
		MaxBytes:     DefaultMaxBytes,
		Keep:         DefaultKeep,
		DeadKeep:     DefaultDeadKeep,
		DeadMaxBytes: DefaultDeadMaxBytes,
		AttemptsKeep: DefaultAttemptsKeep,
		DedupWindow:  DefaultDedupWindow,
		Listen:       DefaultQueueListen,
		Replicas:     DefaultReplicas,
	}
}

func (a *Admin) setDefaults() {
	*a = Admin{Socket: DefaultAdminSocket, Listen: DefaultAdminListen}
}

func (r *Recordings) setDefaults() {
	*r = Recordings{
		Dir:     DefaultRecordingsDir,
		URL:     DefaultRecordingsURL,
		Listen:  DefaultRecordingsListen,
		Access:  DefaultAccess,
		Expires: DefaultExpires,
		Keys:    []Key{{ID: DefaultKeyID, Secret: fromEnv(DefaultRecordingKey)}},
		Wait:    DefaultWait,
		Late:    DefaultLate,
	}
}

func (r *Raw) setDefaults() { *r = Raw{Rate: DefaultRawRate, Channels: DefaultRawChannels} }

func (s *Service) setDefaults() {
	*s = Service{
		Active:        true,
		Type:          DefaultType,
		Method:        DefaultMethod,
		Timezone:      time.UTC,
		Missing:       DefaultMissing,
		Order:         DefaultOrder,
		Concurrency:   DefaultConcurrency,
		Timeout:       DefaultTimeout,
		MaxResponse:   DefaultMaxResponse,
		KeepAlive:     true,
		Success:       DefaultSuccess(),
		RetryOn:       DefaultRetryOn(),
		RetrySchedule: DefaultRetrySchedule(),
		MaxAge:        DefaultMaxAge,
		AllowPrivate:  true,
		Breaker: Breaker{
			Failures: DefaultFailures,
			Ratio:    DefaultRatio,
			Minimum:  DefaultMinimum,
			Window:   DefaultWindow,
			Open:     DefaultOpen,
			MaxOpen:  DefaultMaxOpen,
		},
	}
}

func (s *SOAP) setDefaults() {
	*s = SOAP{Version: DefaultSOAPVersion, Style: DefaultSOAPStyle, Unreadable: DefaultUnreadable}
}

func (a *AWS) setDefaults() { *a = AWS{Service: DefaultAWSService} }

func (o *OAuth2) setDefaults() { *o = OAuth2{Grant: DefaultGrant, AuthStyle: DefaultAuthStyle} }

func (j *JWT) setDefaults() { *j = JWT{Expires: DefaultJWTExpires, Header: "Authorization"} }

func (s *Source) setDefaults() {
	*s = Source{Type: DefaultSourceType, User: DefaultSourceUser}
}

// derive fills in the defaults that depend on the type.
func (s *Source) derive() {
	address, password := DefaultAsteriskAddress, DefaultAsteriskPassword
	if s.Type == SourceFreeSWITCH {
		address, password = DefaultFreeSWITCHAddress, DefaultFreeSWITCHPassword
	}
	s.Address = cmp.Or(s.Address, address)
	if s.Password == (Secret{}) {
		s.Password = fromEnv(password)
	}
}

// fromEnv returns a secret that an environment variable holds.
func fromEnv(name string) Secret { return Secret{&secretSource{env: name}} }
