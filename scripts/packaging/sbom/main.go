// Sbom writes the SPDX bill of materials of a Go binary: what its own build
// information says it was made from, and nothing that differs from run to run.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// document is what of SPDX 2.3 is needed.
type document struct {
	Version       string         `json:"spdxVersion"`
	License       string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []module       `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type module struct {
	ID        string      `json:"SPDXID"`
	Name      string      `json:"name"`
	Version   string      `json:"versionInfo"`
	Download  string      `json:"downloadLocation"`
	Analyzed  bool        `json:"filesAnalyzed"`
	License   string      `json:"licenseConcluded"`
	Declared  string      `json:"licenseDeclared"`
	Copyright string      `json:"copyrightText"`
	Comment   string      `json:"comment,omitempty"` // the sum of go.sum
	Checksums []checksum  `json:"checksums,omitempty"`
	Refs      []reference `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Kind string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

func main() {
	version := flag.String("version", "", "of the binary")
	seconds := flag.Int64("time", 0, "of the release, in seconds since 1970")
	flag.Parse()
	if err := write(flag.Arg(0), *version, time.Unix(*seconds, 0)); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(path, version string, at time.Time) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(binary)
	digest := hex.EncodeToString(sum[:])
	own := packageOf(&debug.Module{Path: info.Main.Path, Version: version})
	own.Checksums = []checksum{{"SHA256", digest}}
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "relay " + version,
		Namespace: "https://spdx.org/spdxdocs/relay-" + digest,
		Creation:  creation{at.UTC().Format(time.RFC3339), []string{"Tool: callrelay/scripts/packaging/sbom"}},
		Packages:  []module{own, packageOf(&debug.Module{Path: "std", Version: info.GoVersion})},
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.Packages = append(d.Packages, packageOf(m))
	}
	d.Relationships = []relationship{{d.ID, "DESCRIBES", own.ID}}
	for _, m := range d.Packages[1:] {
		d.Relationships = append(d.Relationships, relationship{own.ID, "DEPENDS_ON", m.ID})
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

var odd = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func packageOf(m *debug.Module) module {
	p := module{
		ID: "SPDXRef-" + odd.ReplaceAllString(m.Path+"-"+m.Version, "-"), Name: m.Path, Version: m.Version,
		Download: "NOASSERTION", License: "NOASSERTION", Declared: "NOASSERTION", Copyright: "NOASSERTION",
		Refs: []reference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.Path + "@" + m.Version}},
	}
	if text, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		if _, err := base64.StdEncoding.DecodeString(text); err == nil {
			p.Comment = "go.sum " + m.Sum
		}
	}
	return p
}
