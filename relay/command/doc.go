// Package command is relay's command line, one file a command.
//
// Its one idea: a command either works on files of the relay that it was given,
// or asks the running relay over the admin socket and prints what that answers.
// None keeps anything in force; package daemon does.
//
// Each command is done (exit status 0), failed (1) or was used wrongly (2). A
// problem is one line on stderr, and where its solution is known another one
// that begins with "try:".
package command
