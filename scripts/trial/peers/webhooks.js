// A receiver that verifies signatures with npm's standardwebhooks. It says which
// of the secrets that it was given verify a request, and whether any of them
// verifies it with another body.
'use strict';

const http = require('http');
const { Webhook } = require('standardwebhooks');

const secrets = process.argv.slice(2).map((secret) => new Webhook(secret));
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');

function verifies(secret, body, headers) {
  try {
    secret.verify(body, headers);
    return true;
  } catch (err) {
    if (err.name === 'WebhookVerificationError') return false;
    throw err;
  }
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    say({
      id: request.headers['webhook-id'],
      by: secrets.map((secret) => verifies(secret, body, request.headers)),
      forged: secrets.some((secret) => verifies(secret, body + ' ', request.headers)),
    });
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => say({ url: `http://127.0.0.1:${server.address().port}` }));
