// Package spool keeps records in an embedded JetStream while a cluster is away, and
// forwards them when it is back, in the order in which they came.
package spool
