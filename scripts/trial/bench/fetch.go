package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// fetches sends a request over 8 connections, again and again, and returns how many answers came a second.
func (s *session) fetches(at string, request []byte, turn time.Duration) float64 {
	const connections = 8
	var total atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, connections)
	start := time.Now()
	for range connections {
		wg.Go(func() {
			n, err := fetch(at, request, start.Add(turn))
			total.Add(int64(n))
			errs <- err
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	for range connections {
		s.check(<-errs)
	}
	return perSecond(int(total.Load()), elapsed)
}

// fetch asks on one connection until a moment, and returns how many answers came.
func fetch(at string, request []byte, until time.Time) (n int, err error) {
	conn, err := net.Dial("tcp", at)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // all was read
	answers := bufio.NewReaderSize(conn, 256<<10)
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if err := discard(answers); err != nil {
			return n, err
		}
	}
	return n, nil
}

// discard reads one answer with a body.
func discard(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) {
		return fmt.Errorf("answer %q", line)
	}
	size := 0
	for len(bytes.TrimSpace(line)) > 0 {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = r.Discard(size)
	return err
}
