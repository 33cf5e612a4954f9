package hub

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// The states of an [Edge].
const (
	EdgeLinked  = "linked"
	EdgeAway    = "away"    // does not answer
	EdgeRebuilt = "rebuilt" // linked, with another folder than before
	EdgeRenamed = "renamed" // linked, under another name than before
	EdgeDoubled = "doubled" // linked, and so is another of its name
)

// Edge is an edge as the hub knows it.
type Edge struct {
	EdgeReport
	State string    `json:"state"`
	Seen  time.Time `json:"seen"` // when it last told of itself

	// Before are the folders that the name stood for earlier, latest first. What
	// waited in them is not at the edge any more.
	Before []EdgeReport `json:"before,omitempty"`
	// Formerly are the names that the folder had earlier.
	Formerly []string `json:"formerly,omitempty"`
}

// assess makes the list of edges from all that was seen of them.
func assess(seen map[[2]string]sighting) []Edge {
	all := slices.SortedFunc(maps.Values(seen), func(a, b sighting) int {
		if a.linked != b.linked {
			return cmp.Compare(boolInt(b.linked), boolInt(a.linked))
		}
		return cmp.Or(b.seen.Compare(a.seen), cmp.Compare(a.Name, b.Name))
	})
	var edges []*Edge // current first
	names, ids := map[string]*Edge{}, map[string]*Edge{}
	for _, s := range all {
		if now := ids[s.ID]; now != nil {
			now.Formerly = append(now.Formerly, s.Name)
			continue
		}
		now := names[s.Name]
		if now != nil && !s.linked {
			now.Before = append(now.Before, s.EdgeReport)
			continue
		}
		e := &Edge{EdgeReport: s.EdgeReport, State: EdgeAway, Seen: s.seen}
		if s.linked {
			e.State = EdgeLinked
		}
		if now != nil {
			now.State, e.State = EdgeDoubled, EdgeDoubled
		}
		edges, names[s.Name], ids[s.ID] = append(edges, e), e, e
	}
	list := make([]Edge, len(edges))
	for i, e := range edges {
		switch {
		case e.State == EdgeLinked && len(e.Before) > 0:
			e.State = EdgeRebuilt
		case e.State == EdgeLinked && len(e.Formerly) > 0:
			e.State = EdgeRenamed
		}
		list[i] = *e
	}
	slices.SortFunc(list, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
