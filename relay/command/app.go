package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"callrelay/config"
	"callrelay/relay/daemon"
	"callrelay/relay/printable"
	"callrelay/relay/web"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Where the package has the configuration, and the environment of its service.
const (
	packageConfig      = "/etc/relay/relay.toml"
	packageEnvironment = "/etc/relay/relay.env"
)

// configPlaces are tried in order when neither -c nor RELAY_CONFIG is given.
var configPlaces = [...]string{"relay.toml", packageConfig}

// app is one invocation of relay: where it reads and writes, and the flags that
// all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	config   string // -c
	socket   string // --socket
	version  string // of this binary
}

// Run runs the command that args name, as a process whose release was built as
// version (empty: it is none), and returns the exit status.
func Run(ctx context.Context, version string, args []string) int {
	a := &app{in: os.Stdin, out: printed(os.Stdout), err: printed(os.Stderr), version: buildVersion(version)}
	return a.execute(ctx, args)
}

// printed is what a command writes to f as a terminal may show it. The colours of
// our own stay on one.
func printed(f *os.File) *printable.Writer {
	w := &printable.Writer{To: f}
	if term.IsTerminal(int(f.Fd())) {
		w.Keep = []string{red, green, yellow, plain}
	}
	return w
}

// fileOf is the file that a command writes to, if it is one.
func fileOf(w io.Writer) (f *os.File, ok bool) {
	if p, printed := w.(*printable.Writer); printed {
		w = p.To
	}
	f, ok = w.(*os.File)
	return f, ok
}

// execute runs the command that args name and returns the exit status.
func (a *app) execute(ctx context.Context, args []string) int {
	started := false
	root := a.rootCommand()
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if started = true; a.configPath() == packageConfig && cmd.Name() != "run" {
			takeEnvironment(packageEnvironment)
		}
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if usage := (usageError{}); !started || errors.As(err, &usage) {
		try := cmd.CommandPath() + " --help"
		if arguments := (argumentError{}); errors.As(err, &arguments) {
			try = strings.TrimSuffix(cmd.UseLine(), " [flags]")
		}
		a.complain(plainError(err), try)
		return exitUsage
	}
	a.complain(err, "")
	return exitFailed
}

// takeEnvironment sets what a file for systemd sets and this process lacks, so that
// a command finds the secrets that the packaged service has.
func takeEnvironment(path string) {
	data, _ := os.ReadFile(path) // without it, or without the right to read it, they are said to be missing
	for line := range strings.Lines(string(data)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if _, set := os.LookupEnv(name); !found || set || strings.HasPrefix(name, "#") {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		_ = os.Setenv(name, value)
	}
}

// complain writes an error as one line, and what may mend it as another.
func (a *app) complain(err error, try string) {
	if hint := (hintError{}); errors.As(err, &hint) {
		try = hint.try
	} else if errors.Is(err, web.ErrNotRunning) {
		try = howToStart
	}
	_, _ = fmt.Fprintln(a.err, "relay:", err)
	if try != "" {
		_, _ = fmt.Fprintln(a.err, "try:", try)
	}
	a.noteWhich()
}

// noteWhich says which configuration is meant where there is another that may be.
func (a *app) noteWhich() {
	if a.configPath() != configPlaces[0] || a.config != "" || os.Getenv("RELAY_CONFIG") != "" {
		return
	}
	if _, err := os.Stat(packageConfig); err == nil {
		_, _ = fmt.Fprintf(a.err, "this is relay.toml of the current folder, not %s: for that one, -c\n", packageConfig)
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "relay",
		Short:         "Turn call events into web-service calls",
		Long:          "Relay takes events from a call server on a unix socket, keeps them on disk,\nand delivers each to the web services bound to it.\n\nThe exit status is 0 when it is done, 1 when it failed, 2 after wrong usage.",
		Args:          cobra.ArbitraryArgs,
		RunE:          parent,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       a.version,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("relay {{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.config, "config", "c", "",
		"configuration file (default $RELAY_CONFIG, relay.toml, /etc/relay/relay.toml)")
	root.PersistentFlags().StringVar(&a.socket, "socket", "",
		"admin socket of the running relay (default $RELAY_ADMIN_SOCKET, or what the configuration says)")
	addCommands(a, root)
	return root
}

// configPath is the configuration file to use.
func (a *app) configPath() string {
	if a.config != "" {
		return a.config
	}
	if path := os.Getenv("RELAY_CONFIG"); path != "" {
		return path
	}
	for _, path := range configPlaces {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return configPlaces[0]
}

// settings reads the configuration for a command that only needs some of it.
// Its problems are the business of check and run.
func (a *app) settings() (*config.Config, error) {
	c, problems := config.Parse(a.configPath())
	if c == nil {
		return nil, hintError{daemon.Problems(problems), "relay -c FILE, or set RELAY_CONFIG"}
	}
	return c, nil
}

// packagePlace is where the package has the sockets.
const packagePlace = "/run/relay/"

// client makes a client for the running relay. It is found even when the
// configuration does not parse.
func (a *app) client() *web.Client {
	if socket := cmp.Or(a.socket, os.Getenv("RELAY_ADMIN_SOCKET")); socket != "" {
		return web.NewClient(socket, nil)
	}
	return web.NewClient(a.socketOf("admin", packagePlace+"admin.sock"))
}

// socketOf returns the socket of a table of the configuration, or the package's
// place for it where the configuration does not say and nobody has named one.
func (a *app) socketOf(table, place string) (string, error) {
	socket, known, err := config.SocketOf(a.configPath(), table)
	_, stat := os.Stat(place)
	switch named := a.config != "" || os.Getenv("RELAY_CONFIG") != ""; {
	case !known && !named && stat == nil:
		return place, nil
	case errors.Is(err, os.ErrPermission):
		return "", hintError{err, "as root, or as a member of the group that may read it"}
	case err != nil:
		return "", hintError{err, "relay -c FILE, or set RELAY_CONFIG; --socket PATH finds a running relay"}
	}
	if dir, _, err := config.SocketOf(a.configPath(), "queue"); err == nil && !served(socket) {
		running := daemon.RunningSockets(dir)
		if other := map[string]string{"admin": running.Admin, "intake": running.Intake}[table]; other != "" && served(other) {
			return other, nil // the configuration was changed since
		}
	}
	return socket, nil
}

// served reports whether somebody listens on a socket, as far as this user may know.
func served(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err == nil {
		_ = c.Close()
	}
	return err == nil || errors.Is(err, os.ErrPermission)
}

// howToStart starts a relay by hand, or where the package is installed.
const howToStart = "relay run, or systemctl start relay"
