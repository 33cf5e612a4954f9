package faults

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"callrelay/scripts/trial"
)

// watchVariable names, in the environment of this test binary, the socket of who
// wants to judge the system calls of the program that it shall become.
const watchVariable = "FAULTS_WATCH"

// judged are the calls that can be made to fail. Go's own library uses these
// and no older ones.
var judged = map[string][]uint32{
	"write":  {unix.SYS_WRITE, unix.SYS_PWRITE64},
	"sync":   {unix.SYS_FSYNC, unix.SYS_FDATASYNC},
	"rename": {unix.SYS_RENAMEAT},
	"unlink": {unix.SYS_UNLINKAT},
}

// becomeWatched turns this process into the program of its arguments, each of
// whose judged calls waits for the word of who listens at the socket.
func becomeWatched(socket string) error {
	runtime.LockOSThread() // the filter is this thread's, which execs
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	// Load the number of the call; ask about these; allow the rest.
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for _, calls := range judged {
		for _, call := range calls {
			program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
				unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
		}
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	listener, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	// From here on a write would wait: sendmsg is not judged.
	if _, _, err := c.(*net.UnixConn).WriteMsgUnix([]byte{0}, unix.UnixRights(int(listener)), nil); err != nil {
		return err
	}
	if err := unix.Close(int(listener)); err != nil {
		return err
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

// A judge lets calls below a folder fail: of one kind the nth since the process
// began, or all from it on for a while. Safe for concurrent use.
type judge struct {
	dir    string
	kind   string
	nth    int
	errno  syscall.Errno
	lasts  time.Duration // 0: that call alone
	socket string

	mu     sync.Mutex
	seen   int       // calls of the kind
	first  time.Time // that was made to fail
	failed int
	what   string // the first that was made to fail
	err    error
}

// launch starts a process of r that is judged.
func (j *judge) launch(t *testing.T, r *trial.Relay) {
	t.Helper()
	l, err := net.Listen("unix", j.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if err := j.serve(l); err != nil {
			j.mu.Lock()
			j.err = err
			j.mu.Unlock()
		}
	}()
	env := r.Env
	r.Wrap, r.Env = []string{os.Args[0]}, append(slices.Clone(env), watchVariable+"="+j.socket)
	r.Launch()
	r.Wrap, r.Env = nil, env
}

// fired reports whether a call was made to fail.
func (j *judge) fired() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed > 0
}

// notification and verdict are seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type verdict struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

func (j *judge) serve(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	_ = l.Close()
	buf, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(buf, rights)
	if err != nil {
		return err
	}
	_ = c.Close()
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	defer unix.Close(fds[0]) //nolint:errcheck // the process is gone
	for {
		ready := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR { //nolint:errorlint // an Errno
			return err
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			if ready[0].Revents != 0 {
				return nil // the process is gone
			}
			continue
		}
		var asked notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&asked))); errno != 0 {
			continue // the thread that asked is gone
		}
		answer := verdict{id: asked.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if errno := j.judge(asked); errno != 0 {
			answer = verdict{id: asked.id, errno: -int32(errno)}
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fds[0]), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer)))
	}
}

// judge returns what a call fails with; 0: it is made.
func (j *judge) judge(n notification) syscall.Errno {
	of := false
	for _, call := range judged[j.kind] {
		of = of || int32(call) == n.nr
	}
	if !of {
		return 0
	}
	path := fileOf(n.pid, n.args[0])
	if j.kind == "rename" || j.kind == "unlink" {
		path = nameOf(n.pid, n.args[0], n.args[1])
	}
	if !strings.HasPrefix(path, j.dir+"/") {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen++
	switch {
	case j.seen == j.nth:
		j.first, j.what = time.Now(), strings.TrimPrefix(path, j.dir+"/")
	case j.seen < j.nth || time.Since(j.first) > j.lasts:
		return 0
	}
	j.failed++
	return j.errno
}

// fileOf is the path of an open file of a thread.
func fileOf(pid uint32, fd uint64) string {
	if int32(fd) == unix.AT_FDCWD {
		fd := fmt.Sprintf("/proc/%d/cwd", pid)
		path, _ := os.Readlink(fd)
		return path
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return path
}

// nameOf is the path that a thread means by a name at an address in its memory.
func nameOf(pid uint32, dirfd, address uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close() //nolint:errcheck // it was read
	name := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(name, int64(address)) // less than all of it where a page ends
	text, _, _ := strings.Cut(string(name[:n]), "\x00")
	if filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(fileOf(pid, dirfd), text)
}

// canJudge says why no call can be judged here; empty: it can.
func canJudge() string {
	var sizes [3]uint16
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_NOTIF_SIZES, 0, uintptr(unsafe.Pointer(&sizes[0]))); errno != 0 {
		return fmt.Sprintf("the kernel does not hand out system calls: %v", errno)
	}
	if uintptr(sizes[0]) != unsafe.Sizeof(notification{}) {
		return fmt.Sprintf("the kernel's seccomp_notif has %d bytes", sizes[0])
	}
	return ""
}
