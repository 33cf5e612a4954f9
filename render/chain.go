package render

import (
	"fmt"
	"slices"
)

// chain collects the filters of one tag. Time and zone make one step, where the
// first of them stands; number, json or bool comes last, and a default written
// after it still comes before it.
type chain struct {
	secrets  map[string]string // of the filter hmac
	omits    bool
	steps    []transform
	instant  instant
	at       int // where among steps the instant comes; -1: nowhere
	last     transform
	lastName string
	fallback *string // the default, while nothing changes it
	defaults bool
}

func newChain(i instant, secrets map[string]string) *chain {
	return &chain{secrets: secrets, instant: i, at: -1}
}

// add takes over the next filter.
func (c *chain) add(i invocation) error {
	f, err := find(i)
	if err != nil {
		return err
	}
	if f.set != nil {
		if c.at < 0 {
			c.at = len(c.steps)
		}
		c.instant.strict = true
		return f.set(&c.instant, i.arg)
	}
	if c.omits = c.omits || f.Name == "omit"; f.Name == "omit" {
		return nil
	}
	var step transform
	if f.Name == "hmac" {
		step, err = newHMAC(i.arg, c.secrets)
	} else {
		step, err = f.step(i.arg)
	}
	switch {
	case err != nil:
		return err
	case c.last != nil && f.Name != "default":
		return fmt.Errorf("filter %s follows %s, which must be the last one", f.Name, c.lastName)
	case f.typed:
		c.last, c.lastName = step, f.Name
		return c.checkDefault()
	}
	c.steps = append(c.steps, step)
	c.fallback = nil
	if f.Name == "default" {
		c.fallback, c.defaults = &i.arg, true
	}
	return c.checkDefault()
}

// checkDefault refuses a default that the last filter would fail on.
func (c *chain) checkDefault() error {
	if c.fallback == nil || c.last == nil {
		return nil
	}
	_, err := c.last(Value{String, *c.fallback})
	return err
}

// transforms gives the steps in the order of use. The value of a time tag is
// brought into the default form first, unless its number is asked for.
func (c *chain) transforms(timeTag bool) []transform {
	if c.at < 0 && timeTag && c.lastName != "number" {
		c.at = 0
	}
	if c.at >= 0 {
		c.steps = slices.Insert(c.steps, c.at, c.instant.transform)
	}
	if c.last != nil {
		c.steps = append(c.steps, c.last)
	}
	return c.steps
}
