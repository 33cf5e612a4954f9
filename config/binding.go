package config

// A Binding joins events at a scope to services.
type Binding struct {
	Events    []string
	ScopeKind string // one of [ScopeKinds]; empty: any scope
	Scopes    []string
	Where     []Where
	Services  []string
}

// ScopeKinds returns what an event may happen at: the scope keys of a binding.
func ScopeKinds() []string {
	return []string{"queue", "campaign", "route", "number", "ivr", "chat_queue", "account"}
}

// Where lets an event pass whose tag equals one of the values.
type Where struct {
	Tag    string
	Values []string
}

// Mapping replaces an exact value, for services with mappings = true.
type Mapping struct {
	From string `toml:"from"`
	To   string `toml:"to"`
}

// Source is a call server whose events the relay collects itself.
type Source struct {
	Name           string   `toml:"name"`
	Type           string   `toml:"type"` // "asterisk"
	Address        string   `toml:"address"`
	User           string   `toml:"user"`
	Password       Secret   `toml:"password"`
	RecordingsFrom string   `toml:"recordings_from"` // the call server's own name for Recordings.Dir; empty: the same
	Queues         []string `toml:"queues"`          // only these; empty: all
	TLS            *TLS     `toml:"tls"`             // nil: plain TCP
}

// bindingTable is a [[binding]] as the file spells it.
type bindingTable struct {
	Event     []string `toml:"event,one"`
	Queue     []string `toml:"queue,one"`
	Campaign  []string `toml:"campaign,one"`
	Route     []string `toml:"route,one"`
	Number    []string `toml:"number,one"`
	IVR       []string `toml:"ivr,one"`
	ChatQueue []string `toml:"chat_queue,one"`
	Account   []string `toml:"account,one"`
	Where     []Where  `toml:"where"`
	Service   []string `toml:"service,one"`
}

// scopes returns the names listed under each of [ScopeKinds], in its order.
func (b *bindingTable) scopes() [][]string {
	return [][]string{b.Queue, b.Campaign, b.Route, b.Number, b.IVR, b.ChatQueue, b.Account}
}
