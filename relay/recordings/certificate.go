package recordings

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files are looked at for having changed.
const certificateCheck = time.Second

// certificates serves the certificate of two files, read again when either
// changes. One that cannot be read leaves the last good one in force. Safe for
// concurrent use.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // of the files as last tried
	checked time.Time
}

func (c *certificates) config(minVersion string) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
	if minVersion == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	return t
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = time.Now()
	stamp := fileStamp(c.cert) + fileStamp(c.key)
	if c.current != nil && stamp == c.stamp {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil && c.current == nil {
		return nil, err
	}
	c.stamp = stamp
	if err != nil {
		c.log.Error("certificate kept, new one refused", "cert", c.cert, "err", err)
		return c.current, nil
	}
	c.current = &pair
	return c.current, nil
}

// fileStamp changes when the file does.
func fileStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), ";")
}
