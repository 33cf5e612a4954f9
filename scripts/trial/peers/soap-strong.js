// The document service of calls.wsdl with npm's strong-soap, as soap.js has it.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const { soap } = require('strong-soap');

const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');
const failed = new Set();

function recordCall(args, done) {
  const id = args.callId;
  const fails = id.startsWith('client') || (id.startsWith('server') && !failed.has(id));
  failed.add(id);
  say({ callId: id, agent: args.agent });
  if (!fails) return done({ result: 'taken' });
  const by = id.startsWith('client') ? 'Client' : 'Server';
  throw { Fault: { faultcode: `soap:${by}`, faultstring: `no such call: ${id}`, statusCode: 500 } };
}

const server = http.createServer((request, response) => response.end());
server.listen(0, '127.0.0.1', () => {
  const wsdl = fs.readFileSync(path.join(__dirname, 'calls.wsdl'), 'utf8');
  soap.listen(server, '/document', { Calls: { Document: { RecordCall: recordCall } } }, wsdl);
  say({ url: `http://127.0.0.1:${server.address().port}/document` });
});
