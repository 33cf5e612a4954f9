// Package render turns templates and the tags of an event into requests.
//
// A template is text with tags: #name#, #a.b# for a member of a nested object,
// #name|filter|filter:argument#. Two number signs stand for one, and so does a
// number sign that starts no tag. [Compile] checks everything that can be known
// before the first event: filters and their arguments, that a JSON template is
// JSON, that an XML one is well-formed, that no tag chooses the host.
//
// The one idea: a tag is escaped for the place where it stands, which Compile
// finds out once: a JSON string, a form value, a segment of the URL's path, its
// query, XML text, an attribute, a CDATA section, a header. So no value can
// break out of its place or change the shape of what is sent; what a format
// cannot carry at all (a line break in a header, a control character in XML) is
// an [Error]. A value is never looked at again for tags.
//
// A tag that is a whole JSON string and ends in the filter number, json or bool
// replaces the string by the bare value: "#duration|number#" becomes 185. In any
// other place these filters give the same text, escaped like all text. They come
// last; a default written behind them still applies.
//
// Known time tags go out as 2020-04-22 00:00:00.0000 in the service's time zone.
//
// A [Template] is immutable and safe for concurrent use. Rendering neither reads
// nor writes anything but its arguments, and random bytes for WS-Security.
package render
