// Package queuetest lets one variable choose what the tests of this project
// keep their records in: the embedded queue, or a cluster of three servers that
// scripts/trial/cluster has started.
package queuetest
