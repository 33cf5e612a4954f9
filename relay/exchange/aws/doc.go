// Package aws sends to services that ask for Signature Version 4: AWS and what is
// compatible with S3.
//
// Each attempt is signed anew, over its headers and the hash of its body; that of a
// file over TLS is not signed. A file above 64 MiB goes to S3 in parts. What has
// arrived is found again by asking S3, so nothing is kept here; it is believed
// where its hash is that of the file.
package aws
