/**
 * Why a connection ended, and what follows from it.
 *
 * Codes are those of the Guacamole protocol (`protocol-types.h` of guacamole-server,
 * `Status.js` of guacamole-client).
 */

export const Code = {
  SUCCESS: 0x0000,
  UNSUPPORTED: 0x0100,
  SERVER_ERROR: 0x0200,
  SERVER_BUSY: 0x0201,
  UPSTREAM_TIMEOUT: 0x0202,
  UPSTREAM_ERROR: 0x0203,
  RESOURCE_NOT_FOUND: 0x0204,
  RESOURCE_CONFLICT: 0x0205,
  RESOURCE_CLOSED: 0x0206,
  UPSTREAM_NOT_FOUND: 0x0207,
  UPSTREAM_UNAVAILABLE: 0x0208,
  SESSION_CONFLICT: 0x0209,
  SESSION_TIMEOUT: 0x020a,
  SESSION_CLOSED: 0x020b,
  CLIENT_BAD_REQUEST: 0x0300,
  CLIENT_UNAUTHORIZED: 0x0301,
  CLIENT_FORBIDDEN: 0x0303,
  CLIENT_TIMEOUT: 0x0308,
  CLIENT_OVERRUN: 0x030d,
  CLIENT_BAD_TYPE: 0x030f,
  CLIENT_TOO_MANY: 0x031d,
} as const;

/** Names of the ends that are told apart in words. */
export type EndReason =
  | 'lost'
  | 'busy'
  | 'internal'
  | 'no_answer'
  | 'desktop_closed'
  | 'not_found'
  | 'refused'
  | 'taken_over'
  | 'idle'
  | 'ended'
  | 'not_allowed'
  | 'too_slow'
  | 'bad_request'
  | 'too_many'
  | 'unsupported'
  | 'finished';

/** Whether to connect again. */
export type Disposition =
  /** By itself. */
  | 'retry'
  /** Only when the person asks for it. */
  | 'ask';

const REASONS: ReadonlyMap<number, EndReason> = new Map([
  [Code.SUCCESS, 'finished'],
  [Code.UNSUPPORTED, 'unsupported'],
  [Code.SERVER_ERROR, 'internal'],
  [Code.SERVER_BUSY, 'busy'],
  [Code.UPSTREAM_TIMEOUT, 'no_answer'],
  [Code.UPSTREAM_ERROR, 'desktop_closed'],
  [Code.RESOURCE_NOT_FOUND, 'not_found'],
  [Code.RESOURCE_CONFLICT, 'taken_over'],
  [Code.RESOURCE_CLOSED, 'desktop_closed'],
  [Code.UPSTREAM_NOT_FOUND, 'not_found'],
  [Code.UPSTREAM_UNAVAILABLE, 'refused'],
  [Code.SESSION_CONFLICT, 'taken_over'],
  [Code.SESSION_TIMEOUT, 'idle'],
  [Code.SESSION_CLOSED, 'ended'],
  [Code.CLIENT_BAD_REQUEST, 'bad_request'],
  [Code.CLIENT_UNAUTHORIZED, 'not_allowed'],
  [Code.CLIENT_FORBIDDEN, 'not_allowed'],
  [Code.CLIENT_TIMEOUT, 'too_slow'],
  [Code.CLIENT_OVERRUN, 'bad_request'],
  [Code.CLIENT_BAD_TYPE, 'unsupported'],
  [Code.CLIENT_TOO_MANY, 'too_many'],
]);

/** The reason behind a status code; `null` stands for a connection that broke without one. */
export function reasonOf(code: number | null): EndReason {
  if (code === null) return 'lost';
  const known = REASONS.get(code);
  if (known) return known;
  return code >= 0x0300 && code < 0x0400 ? 'bad_request' : 'internal';
}

/**
 * Trying again helps where the network, the server or the desktop may recover. It does
 * harm where somebody ended the connection on purpose: two browsers that take a desktop
 * from each other would go on for ever.
 */
export function dispositionOf(reason: EndReason): Disposition {
  switch (reason) {
    case 'taken_over':
    case 'idle':
    case 'ended':
    case 'finished':
    case 'bad_request':
    case 'unsupported':
      return 'ask';
    default:
      return 'retry';
  }
}

/** Close codes of the WebSocket itself (RFC 6455, section 7.4.1). */
const WS_NORMAL = 1000;
const WS_SERVER_GOES_OR_RESTARTS = new Set([1001, 1012, 1013, 1014]);
const WS_UNEXPECTED = new Set([1002, 1003, 1007, 1009, 1010, 1011]);

/**
 * The status code of a closed WebSocket. The server writes it in decimal as the close
 * reason; `null` where the connection broke without any word.
 */
export function codeOfClose(closeCode: number, reason: string): number | null {
  if (/^\d{1,5}$/.test(reason)) return Number(reason);
  if (closeCode === WS_NORMAL) return Code.SUCCESS;
  if (WS_SERVER_GOES_OR_RESTARTS.has(closeCode)) return Code.SERVER_BUSY;
  return WS_UNEXPECTED.has(closeCode) ? Code.SERVER_ERROR : null;
}
