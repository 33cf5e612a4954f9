package daemon

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// NotifyReady notifies the service manager that all is ready, if there is one.
func NotifyReady() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }

func notifyStopping() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }

// notifyReloading must be followed by notifyReady, whatever came of the reload.
func notifyReloading() {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
}

// watchdog notifies the service manager that the relay lives, as long as the queue
// answers. A full disk is an answer: a restart would not mend it.
func (p *Daemon) watchdog(ctx context.Context) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return nil
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		_ = p.queue.Health()
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// inheritedListener is the intake socket that the service manager opened, nil
// when it opened none.
func inheritedListener() (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("socket activation: %w", err)
	}
	switch len(listeners) {
	case 0:
		return nil, nil
	case 1:
		return listeners[0], nil
	default:
		return nil, fmt.Errorf("socket activation: %d sockets given, one expected: the intake's", len(listeners))
	}
}
