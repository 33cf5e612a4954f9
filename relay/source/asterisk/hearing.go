package asterisk

import "callrelay/relay/source/asterisk/ami"

// hearing is what a session has heard of Asterisk.
type hearing struct{}

func (h *hearing) hear(ami.Message) {}
