package render_test

import (
	"fmt"
	"time"

	"callrelay/render"
)

func Example() {
	template, problems := render.Compile(render.Spec{
		Method: "POST",
		URL:    "https://crm.example.com/queues/#queue#",
		Times:  []string{"call_start"},
		Body:   "json",
		Text:   `{ "agent": "#agent_username#", "callStart": "#call_start#", "duration": "#duration|number#" }`,
	})
	for _, p := range problems {
		fmt.Println(p)
	}
	event := map[string]render.Value{
		"queue":          {Kind: render.String, Text: "sales/eu"},
		"agent_username": {Kind: render.String, Text: `O"Neil & <Sons>`},
		"call_start":     {Kind: render.Number, Text: "1587513600"},
		"duration":       {Kind: render.Number, Text: "185"},
	}
	req, err := template.Render(func(tag string) render.Value { return event[tag] }, time.Now())
	fmt.Println(req.Method, req.URL, err)
	fmt.Println(string(req.Body))
	// Output:
	// POST https://crm.example.com/queues/sales%2Feu <nil>
	// { "agent": "O\"Neil & <Sons>", "callStart": "2020-04-22 00:00:00.0000", "duration": 185 }
}

func ExampleCompile_problems() {
	_, problems := render.Compile(render.Spec{
		URL:  "https://#queue#.example.com/",
		Body: "json",
		Text: "{\n  \"agent\": \"#agent_username|uper#\"\n}",
	})
	for _, p := range problems {
		fmt.Println(p)
	}
	// Output:
	// url: 1:9: #queue#: a tag cannot stand in the scheme, user, host or port
	// json: 2:29: #agent_username|uper#: filter "uper" is not known (known: number json bool upper lower trim last default time zone e164 scale url base64 xml map omit hmac sha256)
}

func ExampleParseTime() {
	chicago, _ := time.LoadLocation("America/Chicago")
	for _, text := range []string{"2020-04-22T00:00:00Z", "1587513600", "1587513600000", "2020-04-21 19:00:00.0000"} {
		at, err := render.ParseTime(text, chicago)
		fmt.Println(at.UTC(), err)
	}
	// Output:
	// 2020-04-22 00:00:00 +0000 UTC <nil>
	// 2020-04-22 00:00:00 +0000 UTC <nil>
	// 2020-04-22 00:00:00 +0000 UTC <nil>
	// 2020-04-22 00:00:00 +0000 UTC <nil>
}
