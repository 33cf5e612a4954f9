package config

import (
	"reflect"
	"strings"
)

// A Binding joins events at a scope to services.
type Binding struct {
	Events    []string
	ScopeKind string // one of [ScopeKinds]; empty: any scope
	Scopes    []string
	Where     []Where
	Services  []string
}

// String says the binding in one line: which events, at what, and where.
func (b Binding) String() string {
	var text strings.Builder
	text.WriteString(strings.Join(b.Events, ", "))
	if b.ScopeKind != "" {
		text.WriteString(" at " + b.ScopeKind + " " + strings.Join(b.Scopes, ", "))
	}
	for i, w := range b.Where {
		word := ", where "
		if i > 0 {
			word = " and "
		}
		text.WriteString(word + w.Tag + " is " + strings.Join(w.Values, " or "))
	}
	return text.String()
}

// ScopeKinds returns what an event may happen at: the keys of a binding that
// are marked as a scope.
func ScopeKinds() []string {
	return keysWith("scope", reflect.TypeFor[bindingTable]())
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
	Type           string   `toml:"type" default:"asterisk"` // SourceAsterisk or SourceFreeSWITCH
	Address        string   `toml:"address"`
	User           string   `toml:"user" default:"relay"`
	Password       Secret   `toml:"password"`
	RecordingsFrom string   `toml:"recordings_from"` // the call server's own name for Recordings.Dir; empty: the same
	Queues         []string `toml:"queues"`          // only these; empty: all
	Phones         []string `toml:"phones"`          // patterns of devices that are agents' phones; empty: names of digits, and members of queues
	TLS            *TLS     `toml:"tls"`             // nil: plain TCP
}

// bindingTable is a [[binding]] as the file spells it.
type bindingTable struct {
	Event     []string `toml:"event,one"`
	Queue     []string `toml:"queue,scope"`
	Campaign  []string `toml:"campaign,scope"`
	Route     []string `toml:"route,scope"`
	Number    []string `toml:"number,scope"`
	IVR       []string `toml:"ivr,scope"`
	ChatQueue []string `toml:"chat_queue,scope"`
	Account   []string `toml:"account,scope"`
	Where     []Where  `toml:"where"`
	Service   []string `toml:"service,one"`
}

// scopes returns the names listed under each of [ScopeKinds], in its order.
func (b *bindingTable) scopes() [][]string {
	all := make([][]string, 0, len(ScopeKinds()))
	for _, kind := range ScopeKinds() {
		field, _, _ := fieldOf(reflect.ValueOf(b).Elem(), kind)
		all = append(all, field.Interface().([]string))
	}
	return all
}
