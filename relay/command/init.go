package command

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/scripts/examples/services"
)

// defaultExample is the service that a first relay.toml has when none is named.
const defaultExample = "json"

// firstFile is what a first relay.toml is made from.
type firstFile struct {
	callServer, url, queue, example string
}

func (a *app) initCommand() *cobra.Command {
	var f firstFile
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a first relay.toml",
		Long: "Write a first relay.toml: a call server, a service, and the binding that joins them.\n" +
			"What no flag gives is asked: the call server, the endpoint, the queue. A FILE that has\nno service yet, as the package's own, is kept beside it as FILE.before.\n\nExamples of services: " + strings.Join(services.Names(), " ") + ".",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := a.firstPath(args)
			if _, err := os.Stat(path); err == nil && !callsNobody(path) {
				return hintError{fmt.Errorf("%s is there already", path), "relay init with another FILE, or relay check"}
			}
			if err := a.ask(cmd, &f); err != nil {
				return err
			}
			return a.writeFirst(path, f)
		},
	}
	cmd.Flags().StringVar(&f.callServer, "call-server", "", "asterisk, freeswitch, or socket for whatever writes to the socket")
	cmd.Flags().StringVar(&f.url, "url", "", "endpoint of the service")
	cmd.Flags().StringVar(&f.queue, "queue", "", "queue whose calls are sent; \"\" for all")
	cmd.Flags().StringVar(&f.example, "example", defaultExample, "example that the service is taken from")
	return cmd
}

// callsNobody reports whether a file is sound and has no service and no source.
func callsNobody(path string) bool {
	c, problems := config.Parse(path)
	return c != nil && len(problems) == 0 && len(c.Services) == 0 && len(c.Sources) == 0
}

// firstPath is the file that init writes: the one that is named, else a new one here.
func (a *app) firstPath(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	if a.config != "" {
		return a.config
	}
	return configPlaces[0]
}

// callServers are what init knows how to begin with.
var callServers = [...]string{"asterisk", "freeswitch", "socket"}

// ask completes what the flags gave, by a question for each that is missing.
func (a *app) ask(cmd *cobra.Command, f *firstFile) error {
	example, ok := services.Text(f.example)
	if !ok {
		return usageError{fmt.Errorf("example %q is not known (known: %s)", f.example, strings.Join(services.Names(), " "))}
	}
	in := bufio.NewScanner(a.in)
	for _, question := range []struct {
		flag, text, usual string
		answer            *string
	}{
		{"call-server", "Call server: " + strings.Join(callServers[:], ", "), callServers[0], &f.callServer},
		{"url", "URL of the endpoint", exampleURL.FindStringSubmatch(example)[2], &f.url},
		{"queue", "Queue whose calls are sent, nothing for all", "", &f.queue},
	} {
		if cmd.Flags().Changed(question.flag) {
			continue
		}
		if _, err := fmt.Fprintf(a.out, "%s [%s]: ", question.text, question.usual); err != nil {
			return err
		}
		if !in.Scan() {
			a.printf("\n")
			return usageError{errors.Join(fmt.Errorf("--%s is not given, and nobody answers", question.flag), in.Err())}
		}
		if *question.answer = strings.TrimSpace(in.Text()); *question.answer == "" {
			*question.answer = question.usual
		}
	}
	if !slices.Contains(callServers[:], f.callServer) {
		return usageError{fmt.Errorf("call server %q is not known (known: %s)", f.callServer, strings.Join(callServers[:], " "))}
	}
	return nil
}

// writeFirst writes the file, and prints what is left to do.
func (a *app) writeFirst(path string, f firstFile) error {
	text := f.text(strings.HasPrefix(filepath.Dir(path)+"/", "/etc/relay/"))
	if callsNobody(path) {
		if err := os.Rename(path, path+".before"); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already", path)
	}
	if err != nil {
		return err
	}
	if _, err = file.WriteString(text); err == nil {
		err = readableBy(file, filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err = file.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s is written.\n", path)
	if names := secretNames(text); err == nil && len(names) > 0 {
		_, err = fmt.Fprintf(a.out, "Secrets it takes from the environment (of the packaged service: /etc/relay/relay.env): %s\n", strings.Join(names, " "))
	}
	if err == nil {
		_, err = fmt.Fprintf(a.out, "Next: relay check -c %s\n", path)
	}
	return err
}

// readableBy gives what root writes to the group of its folder: the packaged relay
// runs as that.
func readableBy(file *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return file.Chown(-1, int(info.Sys().(*syscall.Stat_t).Gid))
}

// secretNames lists the environment variables that the file takes secrets from.
func secretNames(text string) []string {
	var names []string
	for _, found := range secretFromEnv.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

var (
	exampleURL    = regexp.MustCompile(`(?m)^(url +=) "([^"]*)"`)
	bindingEvent  = regexp.MustCompile(`(?m)^event +=.*$`)
	secretFromEnv = regexp.MustCompile(`\{ env = "([^"]*)" \}`)
)

// text composes the file; packaged is true where the package's folders are meant.
func (f firstFile) text(packaged bool) string {
	example, _ := services.Text(f.example)
	example = exampleURL.ReplaceAllString(example, "$1 "+strings.ReplaceAll(strconv.Quote(f.url), "$", "$$"))
	if f.queue != "" {
		example = bindingEvent.ReplaceAllString(example, "$0\nqueue   = "+strings.ReplaceAll(strconv.Quote(f.queue), "$", "$$"))
	}
	text := firstHead + firstSource[f.callServer] + "\n" + example
	if packaged {
		text = strings.NewReplacer(`"run/queue"`, `"/var/lib/relay/queue"`, `"run/secrets/`, `"/var/lib/relay/secrets/`, `"secrets/`, `"/var/lib/relay/secrets/`, `"run/relay.sock"`, `"/run/relay/relay.sock"`+"\nsocket_group = \"relay-send\"", `"run/`, `"/run/relay/`).Replace(text)
	}
	return text
}

const firstHead = `# The relay's configuration, begun by relay init. relay help config shows every
# key; relay check looks for mistakes; SIGHUP or relay reload reads it again.

[intake]
socket = "run/relay.sock"

[queue]
dir = "run/queue"

[admin]
socket = "run/admin.sock"
token  = { file = "run/secrets/admin.token", create = true } # to sign in on http://127.0.0.1:9464
`

// firstSource is what a call server brings into the file.
var firstSource = map[string]string{
	"socket": "",
	"asterisk": `
[recordings]
dir  = "/var/spool/asterisk/monitor" # the relay's user must be able to read it
url  = "http://127.0.0.1:8090/recordings"
keys = [{ id = "k1", secret = { file = "run/secrets/recording.key", create = true } }]

[[source]]
name     = "pbx1"
type     = "asterisk" # relay help callservers has the user for manager.conf
address  = "127.0.0.1:5038"
user     = "relay"
password = { env = "RELAY_AMI_SECRET" }
`,
	"freeswitch": `
[recordings]
dir  = "/var/lib/freeswitch/recordings" # the relay's user must be able to read it
url  = "http://127.0.0.1:8090/recordings"
keys = [{ id = "k1", secret = { file = "run/secrets/recording.key", create = true } }]

[[source]]
name     = "pbx1"
type     = "freeswitch" # relay help callservers has what its side needs
address  = "127.0.0.1:8021"
password = { env = "RELAY_ESL_PASSWORD" }
`,
}
