package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"callrelay/scripts/trial"
)

// configuration differs with generation, so that each reload changes something.
func configuration(url string, generation int) string {
	return trial.Service("crm", fmt.Sprintf("%s/%d", url, generation%2), "timeout = \"2s\"\nretry_schedule = [\"200ms\", \"1s\"]\n[service.breaker]\nopen = \"500ms\"\nmax_open = \"2s\"")
}

// fault does one random thing to the relay, waits a while, and undoes it.
func (t *soak) fault(r *trial.Relay, at *endpoint) error {
	pause := func() { <-time.After(time.Duration(500+rand.IntN(2500)) * time.Millisecond) }
	switch kind := rand.IntN(7); kind {
	case 0:
		fmt.Print("kill -9; ")
		r.Kill()
		r.Start()
	case 1:
		fmt.Print("restart; ")
		if code := r.Stop(); code != 0 {
			return fmt.Errorf("exit status %d after SIGTERM:\n%s", code, r.Log())
		}
		r.Start()
	case 2:
		fmt.Print("reload; ")
		t.generation++
		r.Reload(configuration(at.url, t.generation))
	case 3, 4, 5:
		answer := []answer{failingAnswer, hangingAnswer, refusingAnswer}[kind-3]
		fmt.Printf("endpoint %s; ", answer)
		at.set(answer)
		pause()
		at.set(wellAnswer)
	case 6:
		fmt.Print("pause; ")
		if out, code := r.Run("pause", "crm"); code != 0 {
			return fmt.Errorf("relay pause: %s", out)
		}
		pause()
		if out, code := r.Run("resume", "crm"); code != 0 {
			return fmt.Errorf("relay resume: %s", out)
		}
	}
	pause()
	return nil
}
