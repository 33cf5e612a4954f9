package aws

import (
	"net/url"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// senderOf is a sender with the credentials of AWS's examples.
func senderOf(service, secret, token string, next exchange.Sender) *Sender {
	a := &config.AWS{Region: "us-east-1", Service: service, AccessKey: config.NewSecret("AKIDEXAMPLE"), SecretKey: config.NewSecret(secret)}
	if token != "" {
		a.SessionToken = config.NewSecret(token)
	}
	return New(&config.Service{URL: "http://example.amazonaws.com/", Auth: config.Auth{AWS: a}}, next)
}

// TestVectorsOfAWS signs the requests of AWS's published test suite. Two of its
// kinds are left out: paths that are not made shorter, and signed lengths, which the
// relay has neither of.
func TestVectorsOfAWS(t *testing.T) {
	const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const vanilla, posted = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
	const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	for _, test := range []struct {
		method, target, header, token string
		want                          string
	}{
		{"GET", "/", "", "", vanilla},
		{"GET", "/example/..", "", "", vanilla},
		{"GET", "/example1/example2/../..", "", "", vanilla},
		{"GET", "/./", "", "", vanilla},
		{"GET", "//", "", "", vanilla},
		{"GET", "/./example", "", "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
		{"GET", "//example//", "", "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"GET", "/example space/", "", "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		{"GET", "/" + unreserved, "", "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"GET", "/ሴ", "", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		{"GET", "/?Param1=value1", "", "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", "", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		{"GET", "/?Param2=value2&Param1=value1", "", "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"GET", "/?" + unreserved + "=" + unreserved, "", "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"GET", "/?ሴ=bar", "", "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"GET", "/", "", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
		{"GET", "/", "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1", "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"GET", "/", "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2", "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"GET", "/", "My-Header1: value1\nMy-Header2: \"a   b   c\"", "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"POST", "/", "", "", posted},
		{"POST", "/", "My-Header1:value1", "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		{"POST", "/", "My-Header1:VALUE1", "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		{"POST", "/", "", token, "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		{"POST", "/?Param1=value1", "", "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			s := senderOf("service", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", test.token, nil)
			// the suite takes the path as it was before it was written into a request
			s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			a := attemptOf(t, test.method, "https://example.amazonaws.com"+test.target, test.header, "")
			checkSignature(t, s, a, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC), test.want)
		})
	}
}

// TestExamplesOfS3 signs the requests of S3's documentation.
func TestExamplesOfS3(t *testing.T) {
	for _, test := range []struct{ method, target, header, body, want string }{
		{"GET", "/test.txt", "Range: bytes=0-9", "", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"PUT", "/test$file.text", "Date: Fri, 24 May 2013 00:00:00 GMT\nX-Amz-Storage-Class: REDUCED_REDUNDANCY", "Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"GET", "/?lifecycle", "", "", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"GET", "/?max-keys=2&prefix=J", "", "", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			s := senderOf("s3", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", nil)
			s.key.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
			a := attemptOf(t, test.method, "https://examplebucket.s3.amazonaws.com"+test.target, test.header, test.body)
			checkSignature(t, s, a, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), test.want)
		})
	}
}

func attemptOf(t *testing.T, method, target, header, body string) *exchange.Attempt {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	a := &exchange.Attempt{Method: method, URL: u, Body: []byte(body)}
	for line := range strings.Lines(header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		a.Header = append(a.Header, exchange.Field{Name: name, Value: value})
	}
	return a
}

func checkSignature(t *testing.T, s *Sender, a *exchange.Attempt, now time.Time, want string) {
	t.Helper()
	if err := s.sign(t.Context(), a, now); err != nil {
		t.Fatal(err)
	}
	if got := a.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("Authorization = %s, want signature %s", got, want)
	}
}

// TestPathsAreWhatIsSigned has names as call servers give them: what is sent is
// what S3 signs, and other services sign it escaped once more.
func TestPathsAreWhatIsSigned(t *testing.T) {
	for written, want := range map[string]string{
		"/b/2026/+4930@a:b=c,d.wav":   "/b/2026/%2B4930%40a%3Ab%3Dc%2Cd.wav",
		"/b/a%2Fb%20c.wav":            "/b/a%2Fb%20c.wav",
		"/b/J%C3%BCrgen~(1)'s!*.wav":  "/b/J%C3%BCrgen~%281%29%27s%21%2A.wav",
		"/b/100%25.wav":               "/b/100%25.wav",
		"/b//empty/../.hidden/x;y&z$": "/b//empty/../.hidden/x%3By%26z%24",
	} {
		a := attemptOf(t, "PUT", "http://127.0.0.1:80"+written, "", "")
		if err := senderOf("s3", "secret", "", nil).sign(t.Context(), a, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := a.URL.RequestURI(); got != want || a.Host != "127.0.0.1" {
			t.Errorf("%s is sent as %s to %s, want %s", written, got, a.Host, want)
		}
	}
}
