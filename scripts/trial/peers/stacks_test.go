package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

// hard is a name that breaks what does not escape.
const hard = `O"Neil & <Sons> ]]> Zoë 🎧 'x'`

// recorded is a call as a SOAP server understood it.
type recorded struct{ CallID, Agent string }

// soapStack tries one SOAP server: a call that it takes, one that it takes at the
// second attempt, and one that it refuses.
func soapStack(t *testing.T, name, version, style, url string, arrivals func() []recorded) {
	t.Helper()
	came := "nothing"
	row(t, name, "3 calls: taken; Server fault, then taken; Client fault", &came)
	r := trial.Start(t, binary, fmt.Sprintf(`
[[service]]
name = "crm"
type = "soap"
url  = %q
retry_schedule = ["50ms"]
soap = { version = %q, style = %q, operation = "RecordCall", namespace = "urn:example:calls", action = "urn:example:calls/RecordCall", params = { callId = "#uii#", agent = "#agent_username#" } }
`, url, version, style)+trial.Binding("crm"))
	event := func(id string) string {
		return fmt.Sprintf(`{"event":"agent_termination","uii":%q,"agent_username":%q}`, id, hard)
	}
	r.Accept(event("call-1"), event("server-1"), event("client-1"))
	settled(r, "crm")
	seen := map[string]int{}
	for _, c := range arrivals() {
		if seen[c.CallID]++; c.Agent != hard {
			t.Errorf("%s: got the agent %q, want %q", c.CallID, c.Agent, hard)
		}
	}
	came = fmt.Sprintf("%s delivered, %s retried, %s dead; called %d, %d and %d times", outcome(r, "delivered"), outcome(r, "retry"), outcome(r, "dead"), seen["call-1"], seen["server-1"], seen["client-1"])
	if want := "2 delivered, 1 retried, 1 dead; called 1, 2 and 1 times"; came != want {
		letters, _ := r.Run("dead", "list")
		t.Errorf("%s: %s, want %s\n%s\n%s", name, came, want, letters, r.Log())
	}
}

// outcome is how many deliveries of the service crm ended so.
func outcome(r *trial.Relay, name string) string {
	return r.Metric(fmt.Sprintf(`relay_deliveries_total{outcome=%q,service="crm"}`, name))
}

func TestStrongSOAP(t *testing.T) {
	server := startNode[recorded](t, "soap-strong.js")
	soapStack(t, "npm strong-soap, SOAP 1.1 document", "1.1", "document", server.Listening["url"], server.Arrivals)
}

func TestPHPSoapServer(t *testing.T) {
	const name = "PHP SoapServer"
	needs(t, name, "apt install php-cli php-soap", "php")
	if out, _ := exec.Command("php", "-m").Output(); !strings.Contains(string(out), "\nsoap\n") {
		missing(t, name, "apt install php-soap")
	}
	for version, path := range map[string]string{"1.1": "/11", "1.2": "/12"} {
		t.Run(version, func(t *testing.T) {
			t.Setenv("FAILED", t.TempDir())
			address := trial.FreeAddress(t)
			server := startAt[recorded](t, address, "php", "-S", address, "soap.php")
			soapStack(t, name+", SOAP "+version+" rpc", version, "rpc", server.Listening["url"]+path, server.Arrivals)
		})
	}
}

func TestJAXWS(t *testing.T) {
	const name, folder = "Java JAX-WS (Metro)", "/usr/share/java/"
	needs(t, name, "apt install default-jdk-headless libjaxws-java", "java", "javac")
	jars := []string{"."}
	for jar := range strings.FieldsSeq("jaxws-api jaxws-rt jaxws-ri-rt-jdk9 jaxb-api jaxb-runtime jaxb-impl jaxb-core saaj saaj-impl stax-ex stax2-api streambuffer mimepull metro-policy gmbal glassfish-management-api glassfish-pfl-basic jws-api istack-commons-runtime javax.activation geronimo-annotation-1.3-spec txw2 FastInfoset woodstox-core") {
		jars = append(jars, folder+jar+".jar")
	}
	if _, err := os.Stat(folder + "jaxws-rt.jar"); err != nil {
		missing(t, name, "apt install libjaxws-java")
	}
	classes := t.TempDir()
	jars[0] = classes
	path := strings.Join(jars, string(filepath.ListSeparator))
	if out, err := exec.Command("javac", "-d", classes, "-cp", path, "Calls.java").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := trial.FreeAddress(t)
	server := startAt[recorded](t, address, "java", "-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8", "-cp", path, "Calls", address)
	soapStack(t, name+", SOAP 1.1 rpc", "1.1", "rpc", server.Listening["url"]+"/calls", server.Arrivals)
}

func TestDotNet(t *testing.T) {
	const name = ".NET WCF (Mono)"
	needs(t, name, "apt install mono-mcs libmono-system-servicemodel4.0a-cil", "mono", "mcs")
	program := filepath.Join(t.TempDir(), "Calls.exe")
	if out, err := exec.Command("mcs", "-r:System.ServiceModel,System.Runtime.Serialization", "-out:"+program, "Calls.cs").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := trial.FreeAddress(t)
	server := startAt[recorded](t, address, "mono", program, address)
	soapStack(t, name+", SOAP 1.1 document", "1.1", "document", server.Listening["url"]+"/calls", server.Arrivals)
}
