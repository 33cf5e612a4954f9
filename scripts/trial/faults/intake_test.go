package faults

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

func TestTenThousandConnectionsHarmNobody(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	n := size(2000, 10_000)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	first, err := r.Dial() // within the limit: it must go on working
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close() //nolint:errcheck // all was answered
	refused := 0
	for range n {
		c, err := net.Dial("unix", r.Path("relay.sock"))
		if err != nil {
			refused++
			continue
		}
		open = append(open, c)
	}
	replies, err := first.Send(trial.Numbered("c", "agent_termination", 10)...)
	if err != nil || !replies[9].Accepted {
		t.Fatalf("the first connection: %+v %v", replies, err)
	}
	r.Until("its events arrive", func() bool { _, got := at.Total(); return got == 10 })
	told, err := bufio.NewReader(open[len(open)-1]).ReadString('\n')
	if err != nil || !strings.Contains(told, "503") {
		t.Errorf("the last connection was told %q, %v; want 503", told, err)
	}
	t.Logf("%d connections opened, %d refused by the kernel, the first one served", len(open), refused)
}

func TestStalledClientsHarmNobody(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	for i := range size(10, 100) { // send and never read a reply; half an event; half-closed
		c, err := net.Dial("unix", r.Path("relay.sock"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // it is the fault
		switch i % 3 {
		case 0:
			go fmt.Fprint(c, strings.Join(trial.Numbered(fmt.Sprintf("stall%d", i), "agent_termination", 20_000), "\n")) //nolint:errcheck // it blocks
		case 1:
			fmt.Fprint(c, `{"event":"agent_ter`)
		case 2:
			fmt.Fprint(c, "POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Length: 1000\r\n\r\n{")
			_ = c.(*net.UnixConn).CloseWrite()
		}
	}
	ids := r.Accept(trial.Numbered("live", "agent_termination", 100)...)
	r.Until("a healthy client's events arrive", func() bool { return at.Missing(ids) == 0 })
}

func TestAStormOfReloadsLosesNothing(t *testing.T) {
	at := trial.NewReceiver(t)
	config := func(i int) string {
		return trial.Service("crm", fmt.Sprintf("%s/%d", at.URL, i%2), "") + trial.Service(fmt.Sprintf("other%d", i%3), at.URL+"/other", "active = false")
	}
	r := trial.Start(t, binary, config(0))
	var book ledger
	stop := make(chan struct{})
	senders := book.load(r, "storm", 4, stop)
	n := size(100, 1000)
	for i := range n {
		r.Configure(config(i))
		r.Hangup()
	}
	r.Reload(config(n))
	close(stop)
	senders.Wait()
	book.settle(t, at, trial.Patience)
	if total, distinct := at.Total(); total != distinct {
		t.Errorf("%d deliveries of %d events", total, distinct)
	}
	t.Logf("%d reloads", n+1)
}
