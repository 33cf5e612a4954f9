// Package dead keeps what became of deliveries: dead letters, which may be put
// back, the record of attempts, and transcripts.
package dead
