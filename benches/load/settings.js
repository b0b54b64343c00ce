'use strict';
// The key of tokens has 32 bytes and protects nothing here.
exports.crypt = { cypher: 'AES-256-CBC', key: 'thirty-two bytes that guard none' };
