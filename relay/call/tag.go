package call

import "slices"

// A Tag is one name of the vocabulary: a member of an event, or what the relay
// adds to it, with all that is to know of it.
type Tag struct {
	Name     string
	Type     string // one of [Types]; empty: a member that is no tag
	Group    string // what it belongs to: an [EventName] has the tags of its groups
	Example  string
	Text     string
	Scope    bool // what an event happens at; it has one of them at most
	Given    By
	Reserved bool // only the relay gives it: an event that brings it is refused
	Needs    File // what must be complete before it has its value

	check  rule                // of the member, as it comes in; nil: any value will do
	derive func(*Event) string // its value where the event lacks it; nil: none
}

// Types are what a tag can be.
var Types = []string{"text", "integer", "number", "seconds", "time", "url", "bool", "object", "array", "file", "base64"}

// By says who gives a tag.
type By uint8

// Who gives a tag.
const (
	ByEvent By = iota // whoever sends the event
	ByRelay           // the relay, when it accepts the event or at each attempt
	ByBoth            // the event, and the relay where the event lacks it
)

// File is a recording that a delivery waits for.
type File uint8

// The recordings of a segment.
const (
	NoFile File = iota
	Recording
	AgentRecording // the one from the agent's perspective
)

// A rule holds a member against the rules.
type rule func(c *checker, i int, m member) *Error

// The columns of the vocabulary that few tags have.

func (t Tag) scope() Tag                     { t.Scope, t.check = true, (*checker).scope; return t }
func (t Tag) relay() Tag                     { t.Given = ByRelay; return t }
func (t Tag) both() Tag                      { t.Given = ByBoth; return t }
func (t Tag) reserved() Tag                  { t.Given, t.Reserved, t.check = ByRelay, true, nil; return t }
func (t Tag) needs(f File) Tag               { t.Needs = f; return t }
func (t Tag) checked(by rule) Tag            { t.check = by; return t }
func (t Tag) from(f func(*Event) string) Tag { t.derive = f; return t.both() }

// What makes a tag of a type: of its name, an example and what it means.
var (
	text, integer, decimal, duration = of("text"), of("integer"), of("number"), of("seconds")
	link, truth, structure, array    = of("url"), of("bool"), of("object"), of("array")
)

func of(kind string) func(name, example, meaning string) Tag {
	return func(name, example, meaning string) Tag {
		return Tag{Name: name, Type: kind, Example: example, Text: meaning}
	}
}

// file is a file as it is.
func file(name, meaning string) Tag {
	return of("file")(name, "(audio)", meaning)
}

// moment is a time; one without a zone gets that of the intake.
func moment(name, example, meaning string) Tag {
	return of("time")(name, example, meaning).checked((*checker).moment)
}

// group is the part of the vocabulary that belongs together.
func group(name string, tags ...Tag) []Tag {
	for i := range tags {
		tags[i].Group = name
	}
	return tags
}

// byName finds the tags of events; those of operational events have no rules.
var byName = func() map[string]*Tag {
	index := make(map[string]*Tag, len(vocabulary))
	for i := range vocabulary {
		index[vocabulary[i].Name] = &vocabulary[i]
	}
	return index
}()

// Find returns what the vocabulary says of a name, operational events aside.
func Find(name string) (t Tag, known bool) {
	if t := byName[name]; t != nil {
		return *t, true
	}
	return Tag{}, false
}

// Vocabulary returns the tags with a meaning of their own. Any other member of
// an event is a tag too.
func Vocabulary() []Tag {
	return slices.DeleteFunc(slices.Clone(vocabulary), func(t Tag) bool { return t.Type == "" })
}

// OperationalVocabulary returns the tags that operational events bring, each of
// them those that [EventNames] says.
func OperationalVocabulary() []Tag { return slices.Clone(operational) }

// names returns the names of the tags that have a property.
func names(has func(Tag) bool) []string {
	var list []string
	for _, t := range vocabulary {
		if has(t) {
			list = append(list, t.Name)
		}
	}
	return list
}

// scopes are the kinds of scope, in the order of the vocabulary.
var scopes = names(func(t Tag) bool { return t.Scope })

// ScopeKinds returns the kinds of scope an event may have, each the name of a
// member.
func ScopeKinds() []string { return slices.Clone(scopes) }

// TimeTags returns the tags that hold times.
func TimeTags() []string { return typed("time") }

// CarriedTags returns the tags that stand for a file as it is, and those that
// stand for one in base64.
func CarriedTags() (files, encoded []string) { return typed("file"), typed("base64") }

func typed(kind string) []string { return names(func(t Tag) bool { return t.Type == kind }) }

// FileTags returns the tags that need a recording to be complete.
func FileTags(of File) []string { return names(func(t Tag) bool { return t.Needs == of }) }

// MadePerAttempt returns the tags that no binding can go by: the relay gives
// them only when a delivery is attempted.
func MadePerAttempt() []string {
	return names(func(t Tag) bool { return t.Given != ByEvent && (t.Group == "attempt" || t.Needs != NoFile) })
}
