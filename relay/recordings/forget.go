package recordings

// Forget ends the wait for late recordings of the events that match, so that
// nothing of them is announced or kept. It returns how many there were; with
// dry it only counts.
func (r *Recordings) Forget(dry bool, match func(event []byte) bool) int {
	return r.pending.forget(dry, match)
}

func (l *pendingLate) forget(dry bool, match func(event []byte) bool) int {
	l.mu.Lock()
	var list []*late
	for _, e := range l.entries {
		if match(e.Event) {
			list = append(list, e)
		}
	}
	l.mu.Unlock()
	if dry || len(list) == 0 {
		return len(list)
	}
	for _, e := range list {
		l.remove(e)
	}
	if l.store != nil {
		l.save()
	}
	return len(list)
}
