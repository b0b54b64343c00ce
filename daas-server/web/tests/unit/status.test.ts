import { describe, expect, it } from 'vitest';
import { codeOfClose, dispositionOf, reasonOf, type EndReason } from '../../src/lib/guac/status';
import { en } from '../../src/lib/text/en';

describe('codes of the server', () => {
  const CODES: readonly [number | null, EndReason, 'retry' | 'ask'][] = [
    [null, 'lost', 'retry'],
    [0, 'finished', 'ask'],
    [512, 'internal', 'retry'],
    [513, 'busy', 'retry'],
    [514, 'no_answer', 'retry'],
    [515, 'desktop_closed', 'retry'],
    [519, 'not_found', 'retry'],
    [520, 'refused', 'retry'],
    [521, 'taken_over', 'ask'],
    [522, 'idle', 'ask'],
    [523, 'ended', 'ask'],
    [768, 'bad_request', 'ask'],
    [769, 'not_allowed', 'retry'],
    [776, 'too_slow', 'retry'],
    [797, 'too_many', 'retry'],
  ];

  it.each(CODES)('%s is %s and means %s', (code, reason, disposition) => {
    expect(reasonOf(code)).toBe(reason);
    expect(dispositionOf(reason)).toBe(disposition);
  });

  it('every code has words of its own kind', () => {
    for (let code = 0; code < 0x400; code++) expect(en.reconnect.why[reasonOf(code)]).toMatch(/^[A-Z].*\.$/);
    expect(new Set(Object.values(en.reconnect.why)).size).toBe(Object.keys(en.reconnect.why).length);
  });
});

describe('the reason of a close', () => {
  it.each([
    [1000, '521', 521],
    [1000, '0', 0],
    [1006, '', null],
    [1005, '', null],
    [1001, '', 513],
    [1002, '', 512],
    [1000, '5e2', 0],
    [1000, ' 521', 0],
    [1006, '123456', null],
  ])('of %s with “%s” is %s', (close, reason, code) => {
    expect(codeOfClose(close, reason)).toBe(code);
  });
});
