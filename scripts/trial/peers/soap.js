// A web service of calls.wsdl with npm's soap, once in SOAP 1.1 and once in 1.2.
// It says what arguments reached it. A call whose callId begins with "server" ends
// in a fault of the server's at first, and one that begins with "client" always in
// a fault of the client's; that comes with status 200, as some servers have it.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const soap = require('soap');

const [user, password] = process.argv.slice(2);
const wsdl = fs.readFileSync(path.join(__dirname, 'calls.wsdl'), 'utf8');
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');

function fault(version, by, text, statusCode) {
  if (version === '1.1') {
    return { Fault: { faultcode: `soap:${by}`, faultstring: text, statusCode } };
  }
  const code = { Client: 'soap:Sender', Server: 'soap:Receiver' }[by];
  return { Fault: { Code: { Value: code }, Reason: { Text: text }, statusCode } };
}

// authenticated checks a UsernameToken, with its password as text or as digest.
function authenticated(security) {
  const token = (security || {}).UsernameToken;
  if (!token || token.Username !== user) return false;
  const sent = token.Password.$value;
  if (token.Password.attributes.Type.endsWith('#PasswordText')) return sent === password;
  const nonce = Buffer.from(token.Nonce.$value || token.Nonce, 'base64');
  const digest = crypto.createHash('sha1').update(nonce).update(token.Created).update(password);
  return sent === digest.digest('base64');
}

function serve(version) {
  const failed = new Set();
  const operation = (name) => (args, done, headers, request) => {
    const id = args.callId;
    const fails = id.startsWith('client') || (id.startsWith('server') && !failed.has(name + id));
    failed.add(name + id);
    say({ version, operation: name, args, fails, contentType: request.headers['content-type'], action: request.headers.soapaction });
    if (!fails) return done(null, { result: 'taken' });
    return done(id.startsWith('client') ? fault(version, 'Client', `no such call: ${id}`, 200) : fault(version, 'Server', 'try later', 500));
  };
  const services = { Calls: { Document: { RecordCall: operation('RecordCall') }, Rpc: { EndCall: operation('EndCall') } } };
  const server = http.createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const ready = () => resolve(`http://127.0.0.1:${server.address().port}`);
      const listener = soap.listen(server, { path: /^\/(document|rpc)/, services, xml: wsdl, callback: ready });
      listener.authenticate = authenticated;
      listener.wsdl.options.forceSoap12Headers = version === '1.2';
    });
  });
}

Promise.all(['1.1', '1.2'].map(serve)).then(([one, two]) => say({ 1.1: one, 1.2: two }));
