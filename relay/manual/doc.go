// Package manual holds the documentation of the relay, a page a topic, as it
// stands in this folder: `relay help TOPIC` prints a page, the man pages are
// made from it, and the status page shows it.
//
// A page is Markdown: a title, a first sentence that says what it is about,
// then sections. A table between <!-- table: NAME --> and <!-- /table --> is
// generated from the code, and a test holds it.
package manual
