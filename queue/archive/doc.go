// Package archive makes backups of a queue, restores them, and looks for what an
// erasure left behind.
package archive
