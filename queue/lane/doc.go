// Package lane knows what is finished: a [Window] per service, which stays small
// however long one delivery is stuck while others pass, and [Floors] of all
// services together, in a file that survives a power cut at any moment.
package lane
