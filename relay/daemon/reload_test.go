package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/queue/queuetest"
	"callrelay/relay/deliver"
	"callrelay/relay/web"
)

// writeConfig writes a configuration whose queue is where the tests are run with,
// into a folder with a short path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "relay.toml")
	queuetest.Cluster(t, path)
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(queuetest.Site(path).Configure(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// running runs a relay until the test ends.
func running(t *testing.T, text string) *Daemon {
	t.Helper()
	p, err := New(t.Context(), Options{Config: writeConfig(t, text), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// await waits for a condition.
func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		case <-tick.C:
		}
	}
}

// restartKeys are the keys that no part applies while the relay runs. A new key
// is one of them until a part claims it.
var restartKeys = []string{
	"admin.listen",
	"intake.listen", "intake.socket", "intake.socket_group", "intake.socket_mode",
	"recordings.dir", "recordings.listen", "recordings.tls",
	"queue",
}

// keysOf returns the keys that a configuration may have, without the places of
// lists: "service.url".
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem() != reflect.TypeFor[config.Field]() {
		t = t.Elem()
	}
	ours := t.PkgPath() == reflect.TypeFor[config.Config]().PkgPath() && !t.Implements(reflect.TypeFor[fmt.Stringer]())
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[config.Secret]() || !ours {
		return []string{""}
	}
	var keys []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		if !field.IsExported() || field.Name == "Path" {
			continue
		}
		for _, below := range keysOf(field.Type) {
			keys = append(keys, strings.Trim(cmp.Or(name, strings.ToLower(field.Name))+"."+below, "."))
		}
	}
	return keys
}

func TestAKeyIsAppliedOrNeedsARestart(t *testing.T) {
	p := running(t, "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\n[recordings]\nlisten = \"\"\nkeys = [{ id = \"k\", secret = \"0123456789abcdef0123456789abcdef\" }]\n")
	for _, key := range keysOf(reflect.TypeFor[config.Config]()) {
		restart := slices.ContainsFunc(restartKeys, func(start string) bool { return key == start || strings.HasPrefix(key, start+".") })
		if claimed := p.claims(key); claimed == restart {
			t.Errorf("%s: a part claims it: %v; needs a restart: %v", key, claimed, restart)
		}
	}
}

// draft is a configuration that random edits change.
type draft struct {
	services map[string]string // the keys of each
	sources  map[string]string
	binding  string
	keep     int
}

func (d *draft) text(url string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[queue]\nlisten = \"\"\nkeep = \"%dh\"\n[admin]\nlisten = \"\"\n", 24+d.keep)
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		fmt.Fprintf(&b, "[[service]]\nname = %q\nurl = %q\ntext = \"x\"\nretry_schedule = [\"1h\"]\n%s\n", name, url, d.services[name])
	}
	if len(d.services) > 0 {
		fmt.Fprintf(&b, "[[binding]]\nevent = %q\nservice = %q\n", d.binding, slices.Sorted(maps.Keys(d.services))[0])
	}
	for _, name := range slices.Sorted(maps.Keys(d.sources)) {
		fmt.Fprintf(&b, "[[source]]\nname = %q\ntype = \"asterisk\"\naddress = %q\nuser = \"u\"\npassword = \"p\"\n", name, d.sources[name])
	}
	return b.String()
}

// edit changes something.
func (d *draft) edit(r *rand.Rand) {
	name := fmt.Sprintf("s%d", r.IntN(6))
	source := fmt.Sprintf("pbx%d", r.IntN(3))
	switch r.IntN(8) {
	case 0, 1:
		delete(d.services, name)
	case 2, 3:
		d.services[name] = ""
	case 4:
		d.services[name] = "active = false"
	case 5:
		d.services[name] = fmt.Sprintf("description = \"%d\"", r.IntN(3))
	case 6:
		if delete(d.sources, source); r.IntN(2) == 0 {
			d.sources[source] = fmt.Sprintf("127.0.0.1:%d", 1+r.IntN(2))
		}
	default:
		d.keep, d.binding = r.IntN(2), [...]string{"call_end", "call_start"}[r.IntN(2)]
	}
}

// state is what a reload can change, as the parts report it.
type state struct {
	services map[string]deliver.Status
	sources  map[string]string
}

func stateOf(p *Daemon) state {
	s := state{services: map[string]deliver.Status{}, sources: map[string]string{}}
	for _, service := range p.deliver.Status() {
		s.services[service.Name] = service
	}
	for _, source := range p.sources.status() {
		s.sources[source.Name] = source.Address
	}
	return s
}

// happened is what became of two states, as a plan says it.
func happened(before, after state) web.Plan {
	plan := web.Plan{Held: map[string]int{}, Freed: map[string]int{}, Orphaned: map[string]int{}}
	configured := func(s deliver.Status) bool { return s.State != "" && s.State != deliver.StateOrphaned }
	for _, name := range slices.Sorted(maps.Keys(after.services)) {
		is, was := after.services[name], before.services[name]
		owed := is.Waiting + is.InFlight + is.Retrying
		switch {
		case configured(is) && !configured(was):
			plan.Services.Added = append(plan.Services.Added, name)
		case configured(is) && (is.Description != was.Description || is.State != was.State):
			plan.Services.Changed = append(plan.Services.Changed, name)
		}
		if owed == 0 || is.State == was.State {
			continue
		}
		switch is.State {
		case deliver.StateOrphaned:
			plan.Orphaned[name] = owed
		case deliver.StateActive:
			plan.Freed[name] = owed
		default:
			plan.Held[name] = owed
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before.services)) {
		if configured(before.services[name]) && !configured(after.services[name]) {
			plan.Services.Gone = append(plan.Services.Gone, name)
		}
	}
	for name, address := range after.sources {
		switch was, ok := before.sources[name]; {
		case !ok:
			plan.Sources.Added = append(plan.Sources.Added, name)
		case was != address:
			plan.Sources.Changed = append(plan.Sources.Changed, name)
		}
	}
	for name := range before.sources {
		if _, ok := after.sources[name]; !ok {
			plan.Sources.Gone = append(plan.Sources.Gone, name)
		}
	}
	slices.Sort(plan.Sources.Added)
	slices.Sort(plan.Sources.Changed)
	slices.Sort(plan.Sources.Gone)
	return plan
}

// TestAPlanIsWhatHappens edits a configuration at random and compares what a dry
// run says with what the reload then does.
func TestAPlanIsWhatHappens(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(endpoint.Close)
	r := rand.New(rand.NewPCG(1, 2))
	d := &draft{services: map[string]string{}, sources: map[string]string{}, binding: "call_end"}
	all := "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\n"
	for i := range 4 {
		d.services[fmt.Sprintf("s%d", i)] = ""
		all += fmt.Sprintf("[[service]]\nname = \"s%d\"\nurl = %q\ntext = \"x\"\nretry_schedule = [\"1h\"]\n[[binding]]\nevent = \"call_end\"\nservice = \"s%d\"\n", i, endpoint.URL, i)
	}
	p := running(t, all)
	for i := range 5 {
		if err := p.acceptOwn(t.Context(), fmt.Appendf(nil, `{"event":"call_end","id":"%d"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	seen := web.Plan{Held: map[string]int{}, Freed: map[string]int{}, Orphaned: map[string]int{}}
	for n := range 200 {
		for range 1 + r.IntN(3) {
			d.edit(r)
		}
		rewrite(t, p.path, d.text(endpoint.URL))
		before, plan := stateOf(p), operator{p}.plan()
		result := p.reload()
		got := happened(before, stateOf(p))
		got.Success, got.Fingerprint, got.Restart = result.Success, result.Fingerprint, result.Restart
		got.Warnings, got.Settings = result.Warnings, plan.Settings
		if want, have := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", plan); want != have {
			t.Fatalf("edit %d: the plan was\n%s\nand it became\n%s\nby\n%s", n, have, want, d.text(endpoint.URL))
		}
		maps.Copy(seen.Held, plan.Held)
		maps.Copy(seen.Freed, plan.Freed)
		maps.Copy(seen.Orphaned, plan.Orphaned)
	}
	if len(seen.Held) == 0 || len(seen.Freed) == 0 || len(seen.Orphaned) == 0 {
		t.Errorf("the edits did not cover all: %+v", seen)
	}
}

func TestThereIsASourceOfEveryType(t *testing.T) {
	made := sourceTypes(nil)
	for _, name := range config.SourceTypes() {
		if made[name] == nil {
			t.Errorf("nobody makes a source of type %q", name)
		}
	}
}

func TestSourcesFollowAReload(t *testing.T) {
	const head = "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\n"
	source := func(name, address string) string {
		return fmt.Sprintf("[[source]]\nname = %q\ntype = \"asterisk\"\naddress = %q\nuser = \"u\"\npassword = \"p\"\n", name, address)
	}
	p := running(t, head+source("pbx1", "127.0.0.1:1"))
	reload := func(text string) {
		t.Helper()
		rewrite(t, p.path, head+text)
		if r := p.reload(); !r.Success || len(r.Restart) > 0 {
			t.Fatalf("reload: %+v", r)
		}
	}
	tries := func(name, address string) func() bool {
		return func() bool {
			for _, s := range (operator{p}).status().Sources {
				if s.Name == name {
					return strings.Contains(s.LastError, address)
				}
			}
			return false
		}
	}
	await(t, "the first source tries to connect", tries("pbx1", "127.0.0.1:1:"))
	reload(source("pbx1", "127.0.0.1:2") + source("pbx2", "127.0.0.1:3"))
	await(t, "the changed source tries elsewhere", tries("pbx1", "127.0.0.1:2:"))
	await(t, "the new source tries to connect", tries("pbx2", "127.0.0.1:3:"))
	kept := p.sources.list[1]
	reload(source("pbx2", "127.0.0.1:3"))
	if list := p.sources.list; len(list) != 1 || list[0] != kept {
		t.Errorf("%d sources, want the one that did not change to run on", len(list))
	}
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "relay_source_connected" && len(f.GetMetric()) != 1 {
			t.Errorf("%d series of sources, want one", len(f.GetMetric()))
		}
	}
}

func TestTheAdminSocketFollowsAReload(t *testing.T) {
	const text = "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\nsocket = %q\n"
	p := running(t, fmt.Sprintf(text, "a.sock"))
	socket := func(name string) string { return filepath.Join(filepath.Dir(p.path), name) }
	rewrite(t, p.path, fmt.Sprintf(text, "b.sock"))
	r, err := web.NewClient(socket("a.sock"), nil).Reload(t.Context())
	if err != nil || !r.Success || len(r.Restart) > 0 {
		t.Fatalf("reload: %+v, %v", r, err)
	}
	if _, err := web.NewClient(socket("b.sock"), nil).Status(t.Context()); err != nil {
		t.Errorf("the new socket: %v", err)
	}
	await(t, "the old socket is gone", func() bool {
		_, err := os.Stat(socket("a.sock"))
		return os.IsNotExist(err)
	})
	if err := os.WriteFile(socket("c.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rewrite(t, p.path, fmt.Sprintf(text, "c.sock")+"[[source]]\nname = \"pbx\"\ntype = \"asterisk\"\naddress = \"127.0.0.1:1\"\nuser = \"u\"\npassword = \"p\"\n")
	if r := p.reload(); r.Success || len(p.sources.status()) > 0 {
		t.Errorf("a socket that cannot be bound: %+v, %d sources", r, len(p.sources.status()))
	}
	if _, err := web.NewClient(socket("b.sock"), nil).Status(t.Context()); err != nil {
		t.Errorf("after a reload that was refused: %v", err)
	}
}
