package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones of relay.toml work where the system has none
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.execute(ctx, os.Args[1:]))
}
