package call

import (
	"path"
	"strings"
)

// relative returns the path below the recordings folder of a path as it came,
// or what is wrong with it.
func relative(text, dir string) (rel, problem string) {
	clean := path.Clean(text)
	switch {
	case hasControl(text):
		return "", "has a control character"
	case hasDotDot(text):
		return "", "has .. in its path"
	case path.IsAbs(text) && dir == "":
		return "", "an absolute path, and there is no recordings.dir"
	case path.IsAbs(text):
		below, ok := strings.CutPrefix(clean, strings.TrimSuffix(dir, "/")+"/")
		if !ok {
			return "", "not below recordings.dir"
		}
		return below, ""
	case clean == "." || strings.HasSuffix(text, "/"):
		return "", "names no file"
	}
	return clean, ""
}

// hasDotDot reports whether .. is an element of a path.
func hasDotDot(text string) bool {
	for element := range strings.SplitSeq(text, "/") {
		if element == ".." {
			return true
		}
	}
	return false
}
