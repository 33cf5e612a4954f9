// Package peers proves the built relay against programs that nobody here wrote:
// SOAP servers, Standard Webhooks libraries, receivers, proxies, an S3 server,
// an OAuth2 token server whose tokens end while events flow, and the page in a
// browser. What came of each is a row of one table; a peer that is not here is a
// row that says so.
//
// The tests run only under run.sh, which fetches what they need and sets PEERS to
// the folder of the npm packages.
package peers
