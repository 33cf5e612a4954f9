// Package callserver holds the Asterisk source against a real Asterisk: calls
// between SIPp callers and agents on one side, the built relay with a receiver
// behind it on the other, and what Asterisk itself told as the measure.
//
// It needs the call server of ../shared/tools/callserver; scripts/trial/callserver/run.sh
// sets it up, names it in CALLSERVER and takes it down. Without it the tests are
// skipped.
package callserver
