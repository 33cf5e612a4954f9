// Package peers proves the built relay against programs that nobody here wrote:
// the SOAP server and the Standard Webhooks library of npm, nginx with mutual
// TLS, and an OAuth2 token server whose tokens end while events flow.
//
// The tests run only under run.sh, which fetches what they need and sets PEERS to
// the folder of the npm packages.
package peers
