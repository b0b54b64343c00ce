// Codes of authenticator apps (RFC 6238): SHA-1, six digits, thirty seconds.

import { createHmac, randomBytes } from 'node:crypto';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const STEP_MS = 30_000;

/** A secret in base 32, as people type it. */
export function newSecret() {
  return Array.from(randomBytes(32), (byte) => LETTERS[byte % 32]).join('');
}

/** @param {string} secret */
function bytesOf(secret) {
  const bits = [...secret].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
}

/**
 * @param {string} secret
 * @param {number} at in milliseconds since 1970
 */
export function totp(secret, at = Date.now()) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / STEP_MS)));
  const hash = createHmac('sha1', bytesOf(secret)).update(counter).digest();
  const offset = (hash.at(-1) ?? 0) & 15;
  return String((hash.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

/**
 * Also the code before and the one after: clocks differ.
 * @param {string} secret
 * @param {unknown} code
 */
export function isTotp(secret, code) {
  return [-1, 0, 1].some((steps) => totp(secret, Date.now() + steps * STEP_MS) === code);
}
