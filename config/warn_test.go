package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name string
		file string
		want []string
	}{
		{"none of an empty file", "", nil},
		{"a hub that anybody may play", "[queue.hub]\nurls = [\"nats://hub\"]\ndomain = \"berlin\"\ntls = { insecure_skip_verify = true }", []string{
			`1: queue.hub: there are neither credentials nor a tls.cert (a hub that takes this edge takes anybody)`,
			`4: queue.hub: tls.insecure_skip_verify lets anybody answer in the place of the hub`,
		}},
		{"a hub in the clear", "[queue]\nsite = \"berlin\"\n[queue.hub]\nurls = [\"tls://a\", \"nats://b\", \"nats://127.0.0.1\"]\ncredentials = \"u:p\"", []string{
			`4: queue.hub: urls "nats://b" is not tls, and events pass over it`,
		}},
		{"keys of a cluster without one", "[queue]\nsite = \"a\"\nreplicas = 1", []string{
			`2: queue: site has no effect without servers or [queue.hub]`, `3: queue: replicas has no effect without servers`,
		}},
		{"users and groups that are not", "[intake]\nallow_users = [\"nobody-of-that-name\", \"1000\"]\nsocket_group = \"no-group-of-that-name\"", []string{
			`2: intake: allow_users "nobody-of-that-name" is no user of this machine`,
			`3: intake: socket_group "no-group-of-that-name" is no group of this machine`,
		}},
		{"queues that are hardly meant", service + "[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\nqueue = [\"support, sales\", \"Support\", \" a\"]\n[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\nqueue = \"support\"\n[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\ncampaign = \"SUPPORT\"", []string{
			`7: binding 1: queue "support, sales" is one name, with a comma in it; several are a list: ["a", "b"]`,
			`7: binding 1: queue " a" has blanks around it, which count`,
			`11: binding 2: queue "support" is "Support" in another binding, and capitals count`,
		}},
		{"mappings without a mapping", service + "mappings = true", []string{`4: service "crm": mappings has no effect without a [[mapping]]`}},
		{"a mapping without mappings", "[[mapping]]\nfrom = \"a\"\nto = \"b\"", []string{`1: mapping 1: no service has mappings = true`}},
		{"recording_access without recordings", service + "recording_access = \"signed\"", []string{`4: service "crm": recording_access has no effect without [recordings]`}},
		{"users who are asked for nothing", "[recordings]\nkeys = [" + key1 + "]\nusers = [{ name = \"a\", password = \"b\" }]", []string{
			`3: recordings: users has no effect: no access is "basic"`,
		}},
		{"headerless recordings that cannot be an agent's", "[recordings]\nkeys = [" + key1 + "]\nagent_perspective = true\nraw = { rate = 8000, channels = 1 }", []string{
			`4: recordings: raw.channels is 1, and an agent-perspective recording has 2`,
		}},
		{"an open page", "[admin]\nlisten = \"0.0.0.0:9464\"", []string{`2: admin: listen "0.0.0.0:9464" is open to others and there is no token (they see counts and states)`}},
		{"passwords in the clear", "[recordings]\nurl = \"http://rec.example.com/\"\naccess = \"basic\"\nusers = [{ name = \"a\", password = \"b\" }]\n" +
			"[[service]]\nname = \"a\"\nurl = \"http://a.example.com/?x\"\nauth.bearer = \"x\"\n" +
			"[[service]]\nname = \"b\"\nurl = \"http://localhost/\"\nauth.bearer = \"x\"", []string{
			`2: recordings: url is not https, and passwords pass over it`,
			`7: service "a": url is not https, and auth.bearer passes over it`,
		}},
		{"a user of an event socket", "[[source]]\nname = \"a\"\ntype = \"freeswitch\"\nuser = \"relay\"\npassword = \"x\"", []string{
			`4: source "a": user has no effect with type "freeswitch"`,
		}},
		{"anybody's certificate", service + "tls.insecure_skip_verify = true", []string{
			`4: service "crm": tls.insecure_skip_verify lets anybody answer in the place of the endpoint`,
		}},
		{"one breaker with two settings", service + "[[service]]\nname = \"b\"\nurl = \"https://crm.example.com/\"\n[service.breaker]\nfailures = 1", []string{
			`7: service "b": breaker differs from that of service "crm", which has the same url and comes first`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := load(t, test.file)
			if len(problems) > 0 {
				t.Fatal(lines(problems))
			}
			var got []string
			for _, w := range c.Warnings() {
				got = append(got, strings.TrimPrefix(w.String(), filepath.Dir(c.Path)+"/relay.toml:"))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
