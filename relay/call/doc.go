// Package call knows what an event is: it decodes what a call server sends,
// strictly, and answers what a tag of a template stands for.
//
// An event is a flat JSON object. One with segments becomes one [Event] per
// segment, the segment's members laid over the call's, and from there on the
// segments are events of their own. Every event has an id: the one it came
// with, or one made from what it says, so that an event sent again is the same
// event and a corrected one is another.
//
// What was accepted is kept as it came: members in their order, numbers with
// their digits. Only three things are written by [Decode]: the id, a recording's
// absolute path, which is made relative, and the zone of a time that had none.
//
// The package reads no files and knows no services.
package call
