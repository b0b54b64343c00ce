'use strict';
// Makes a token of guacamole-lite from each script on standard input.
const fs = require('node:fs');
const Crypt = require('guacamole-lite/lib/Crypt.js');
const { crypt } = require('./settings.js');

const encryption = new Crypt(crypt.cypher, crypt.key);
for (const password of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const settings = { hostname: '127.0.0.1', port: '5901', password };
  const token = encryption.encrypt({ connection: { type: 'vnc', settings } });
  process.stdout.write(`${encodeURIComponent(token)}\n`);
}
