// Package faults does to a running relay what a bad day does: power cuts, a
// full or read-only disk, endpoints that hang, drip or reset, clients that
// stall, a clock that is set, and a storm of reloads. Each trial prints what it counted (go test -v).
//
// go test runs the short form of each but the power cuts and kills, which need
// FAULTS=short or long; long makes all as hard as a night. The power is cut by a
// filesystem that forgets what was not synced. It is built from
// ../shared/tools/powerfs where that lies beside the repository and fuse3 is
// installed, or FAULTS_POWERFS names its binary; without it no power is cut.
package faults
