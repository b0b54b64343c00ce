'use strict';
// guacamole-lite in front of a guacd:
//
//   node guacamole-lite.js GUACD_ADDRESS
const GuacamoleLite = require('guacamole-lite');
const { crypt } = require('./settings.js');

const [host, port] = process.argv[2].split(':');
const server = new GuacamoleLite(
  { host: '127.0.0.1', port: 0 },
  { host, port: Number(port) },
  { crypt, log: { level: 'ERRORS' } },
);
server.webSocketServer.on('listening', () => {
  const { address, port } = server.webSocketServer.address();
  process.stdout.write(`listening on ${address}:${port}\n`, () => {
    // It writes a line for each connection, whatever its settings say, and nobody reads it.
    console.log = () => {};
  });
});
