// Package ami speaks the manager interface of Asterisk (AMI).
//
// A [Conn] is one logged-in connection: it sends actions and hands out what
// Asterisk sends, message by message, in the order received. A [Reader] parses
// the same text from anywhere, a stored transcript for one.
//
// The memory of a message is bounded; a larger one is skipped to its end and
// reported as [ErrTooLarge], and reading goes on behind it. Nothing here
// reconnects: a broken connection is an error of [Conn.Next].
package ami
