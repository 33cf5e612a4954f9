package render

import (
	"testing"
	"time"
)

func BenchmarkRender(b *testing.B) {
	for _, bench := range []struct {
		name string
		spec Spec
	}{
		{"json", Spec{Body: "json", Text: documentJSON}},
		{"form", Spec{Body: "params", Params: documentForm}},
		{"soap", Spec{SOAP: &SOAP{Operation: "EndCall", Namespace: "urn:calls", Params: soapParams}}},
		{"url", Spec{URL: "https://example.com/#queue#?ani=#ani#", Headers: []Field{{"X-Queue", "#queue#"}}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			template := compile(b, bench.spec)
			values, now := lookup(documentEvent), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := template.Render(values, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
