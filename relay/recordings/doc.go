// Package recordings gives out links to recordings, serves them, and says when
// a recording is complete.
//
// Its one idea: a link is opened by what it carries and by nothing else. A
// signed link opens by its signature, an anonymous one by its token, a basic
// one by a name and a password; the slice of a sliced one is part of what is
// signed. Nothing is stored for a link, so links outlive every restart, and
// one is taken back by removing the key that made it.
//
// A recording is complete when its size is steady and agrees with what its
// header says. [Recordings.Look] says how a file stands, [Recordings.Watch]
// reports when it completes, [Recordings.Late] raises an event when one does
// that its delivery did not wait for.
//
// All files are opened below one folder, whatever their names or symbolic
// links say, and only regular ones. Names are hostile input: agents choose
// them. The package writes nothing below that folder.
//
// Limits: whether a writer still has a file open is not looked at, so a writer
// that keeps its header in agreement and pauses longer than [SteadyWave] is
// taken to be done. Slices are cut from PCM, float, A-law and µ-law WAV files
// and from headerless ones.
package recordings
