// Package record says what the queue stores: records and what lies beside them,
// how they are found by their subjects, dead letters, and the errors of the queue.
// It opens nothing and keeps nothing; all that it has are values.
package record
