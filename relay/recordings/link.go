package recordings

import (
	"time"

	"callrelay/relay/recordings/link"
)

// Link returns the link to the recording at path, in the access mode given or
// else the configured one; a signed one expires so long after now. With start
// or end, in seconds and not negative, it opens that part alone. It is empty
// for what may not be linked: a path or a symbolic link that leads out of the
// folder, what is no regular file, a slice that holds nothing or that nobody
// could serve, and a mode that has no key.
func (r *Recordings) Link(path, access string, now time.Time, start, end float64) string {
	s := r.settings.Load()
	name, ok := r.root.canonical(path)
	if !ok {
		return ""
	}
	name, _, err := r.root.find(name)
	if err != nil && !gone(err) && !barred(err) {
		warn(r.log, "recording may not be linked", name, "err", err)
		return ""
	}
	slice, ok := sliceOf(start, end)
	if !ok {
		return ""
	}
	if !slice.Whole() && (s.Listen == "" || !r.files.cuttable(name)) {
		warn(r.log, "recording cannot be sliced", name)
		return ""
	}
	return r.link(s, name, access, now, slice)
}

func (r *Recordings) link(s *settings, name, access string, now time.Time, slice link.Slice) string {
	if access == "" {
		access = s.Access
	}
	switch {
	case access == AccessBasic:
		return link.Basic(s.base, name, slice)
	case len(s.keys) == 0:
		return ""
	case access == AccessAnonymous:
		r.tokens.add(name)
		return link.Anonymous(s.base, name, s.keys[0], slice)
	}
	return link.Signed(s.base, name, s.keys[0], now.Add(s.Expires), slice)
}

// sliceOf turns two moments, where a negative one is not given, into a slice.
func sliceOf(start, end float64) (link.Slice, bool) {
	s := link.Slice{Start: max(start, 0), End: max(end, 0)}
	return s, s.Valid() && end != 0
}
