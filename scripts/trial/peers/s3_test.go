package peers

import (
	"crypto/rand"
	"crypto/sha256"
	wav "encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

const s3Secret = "wJalr/XUtnFEMI+K7MDENG="

// A bucket is one of versitygw, an S3 server that checks signatures, with what it
// holds as files.
type bucket struct {
	address string
	objects string // the folder
	log     string // a file
}

// startS3 starts a server: over TLS with a certificate, else in the clear.
func startS3(t *testing.T, cert, key string) *bucket {
	t.Helper()
	dir := t.TempDir()
	b := &bucket{address: trial.FreeAddress(t), objects: filepath.Join(dir, "data", "calls"), log: filepath.Join(dir, "log")}
	for _, folder := range []string{b.objects, filepath.Join(dir, "meta")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--port", b.address, "--access", "AKIDEXAMPLE", "--secret", s3Secret}
	if cert != "" {
		args = append(args, "--cert", cert, "--key", key)
	}
	cmd := exec.Command("versitygw", append(args, "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data"))...)
	log, err := os.Create(b.log)
	if err == nil {
		cmd.Stdout = log
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the server said:\n%s", b.said())
		}
	})
	return b
}

// said is its log: a line for each request.
func (b *bucket) said() string {
	text, _ := os.ReadFile(b.log)
	return string(text)
}

func (b *bucket) ready() bool {
	conn, err := net.Dial("tcp", b.address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// has reports whether an object is there, whole.
func (b *bucket) has(name string, sum [sha256.Size]byte) bool {
	data, err := os.ReadFile(filepath.Join(b.objects, name))
	return err == nil && sha256.Sum256(data) == sum
}

// recordTo writes a WAV of n random bytes and returns its sum.
func recordTo(t *testing.T, path string, n int) [sha256.Size]byte {
	t.Helper()
	data := make([]byte, 44+n)
	_, _ = rand.Read(data[44:])
	copy(data, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data")
	wav.LittleEndian.PutUint32(data[4:], uint32(36+n))
	wav.LittleEndian.PutUint32(data[40:], uint32(n))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// TestS3 puts recordings into a bucket. With a wrong secret they are held; a reload
// mends that. A large one, in parts, is resumed after a kill.
func TestS3(t *testing.T) {
	needs(t, "S3, versitygw", "go install github.com/versity/versitygw/cmd/versitygw@latest", "versitygw")
	files := t.TempDir()
	issuer := newAuthority(t, "s3")
	ca, cert, key := filepath.Join(files, "ca.pem"), filepath.Join(files, "s3.pem"), filepath.Join(files, "s3.key")
	replace(t, ca, issuer.pem)
	issuer.issue("s3", cert, key)
	for scheme, b := range map[string]*bucket{"http": startS3(t, "", ""), "https": startS3(t, cert, key)} {
		t.Run(scheme, func(t *testing.T) {
			came := "nothing"
			row(t, "S3, versitygw, "+scheme, "recordings of 100 kB and, in parts, 100 MiB, through a wrong secret and a kill", &came)
			configure := func(secret string) string {
				return fmt.Sprintf(`[recordings]
dir = "recordings"
listen = ""
access = "anonymous"
keys = [{ id = "k1", secret = "0123456789abcdef0123456789abcdef" }]
[[service]]
name = "s3"
method = "PUT"
url = "%s://%s/calls/2026/#queue#/#recording_name#"
file = "#recording_file#"
retry_schedule = ["200ms"]
max_rate = "40MiB"
auth.aws = { region = "us-east-1", service = "s3", access_key = "AKIDEXAMPLE", secret_key = %q }
tls = { ca = %q }
breaker = { open = "100ms", max_open = "200ms" }
`, scheme, b.address, secret, ca) + trial.Binding("s3")
			}
			r := trial.New(t, binary, configure("wrong"))
			r.Until("the server is ready", b.ready)
			if err := os.Mkdir(r.Path("recordings"), 0o700); err != nil {
				t.Fatal(err)
			}
			r.Start()
			sum := recordTo(t, r.Path("recordings/+4930 a.wav"), 100_000)
			r.Accept(`{"event":"agent_termination","queue":"support & sales","id":"small","recording":"+4930 a.wav"}`)
			r.Until("it is refused", func() bool {
				v := r.Metric(`relay_attempts_total{class="4xx",service="s3"}`)
				return v != "0" && v != ""
			})
			r.Reload(configure(s3Secret))
			settled(r, "s3")
			if !b.has("2026/support & sales/+4930 a.wav", sum) {
				t.Error("the small recording is not there")
			}

			sum = recordTo(t, r.Path("recordings/large.wav"), 100<<20)
			r.Accept(`{"event":"agent_termination","queue":"support","id":"large","recording":"large.wav"}`)
			r.Until("some parts are there", func() bool { return strings.Count(b.said(), "partNumber=") >= 2 })
			r.Kill()
			r.Start()
			settled(r, "s3")
			if log := b.said(); !b.has("2026/support/large.wav", sum) || strings.Count(log, "| POST |") != 2 || strings.Count(log, "partNumber=1&") != 1 {
				t.Errorf("the large recording is not there, or was not resumed")
			}
			came = "both, whole; two parts were not sent again"
			if out := r.Log(); strings.Contains(out, s3Secret) {
				t.Error("the log holds the secret")
			}
		})
	}
}
