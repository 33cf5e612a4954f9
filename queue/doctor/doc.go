// Package doctor looks through a queue, one that runs or the folder of one that
// does not, and says what it found, how bad that is and what to do about it. It
// changes nothing.
package doctor
