package config_test

import (
	"fmt"
	"os"
	"path/filepath"

	"callrelay/config"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "relay.toml")
	text := `
[[service]]
name    = "crm"
url     = "https://crm.example.com/calls"
json    = '{ "caller": "#ani#" }'
timeout = "30"

[[binding]]
event   = "agent_termination"
service = ["crm", "billing"]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, problems := config.Load(path)
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		fmt.Println(p)
	}
	// Output:
	// relay.toml:6: service "crm": timeout "30" is not a duration (such as "30s", "24h", "7d")
	// relay.toml:10: binding 1: service "billing" is not defined (defined: crm)
}

func ExampleSecret() {
	password := config.NewSecret("correct horse")
	fmt.Println(password)
	fmt.Printf("%#v\n", password)
	fmt.Println(len(password.Value()))
	// Output:
	// ***
	// ***
	// 13
}
