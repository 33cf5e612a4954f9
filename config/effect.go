package config

// withoutEffect are the keys whose feature is not built: they are read and
// checked, and warned of when the file gives them. An entry goes when its
// feature comes.
var withoutEffect = []struct {
	table string
	keys  []string
}{
	{"queue", []string{"spool"}},
}

// warnWithoutEffect warns of keys that change nothing.
func (c *Config) warnWithoutEffect() {
	for _, entry := range withoutEffect {
		at := c.place(Ref{Table: entry.table})
		for _, key := range entry.keys {
			if c.file.given(at, key) {
				c.file.warn(at, key, "%s has no effect yet", key)
			}
		}
	}
}
