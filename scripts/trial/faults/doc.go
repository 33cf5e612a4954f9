// Package faults does to a running relay what a bad day does: power cuts, a
// full or read-only disk, single calls of it that fail, endpoints that hang, drip or reset, clients that
// stall, a clock that is set, and a storm of reloads. Each trial prints what it counted (go test -v).
//
// go test runs the short form of each but the power cuts, kills and failed calls,
// which need FAULTS=short or long; long makes all as hard as a night. Calls are
// made to fail by seccomp's notifications, which need no tool and no root. The power is cut by a
// filesystem that forgets what was not synced. It is built from
// ../shared/tools/powerfs where that lies beside the repository and fuse3 is
// installed, or FAULTS_POWERFS names its binary; without it no power is cut.
package faults
