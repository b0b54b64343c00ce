import { describe, expect, it } from 'vitest';
import { qrCode } from '../../src/lib/qr';
import { takeSignOnError } from '../../src/lib/route';
import { asDays, instant, lines, nameFault, passwordFault, plainCode, strengthOf } from '../../src/lib/validate';

describe('names', () => {
  it.each([
    ['ada', null],
    ['  ', 'empty'],
    ['x'.repeat(100), null],
    ['x'.repeat(101), 'long'],
    ['😀'.repeat(100), null],
  ])('%s', (name, fault) => expect(nameFault(name)).toBe(fault));
});

describe('passwords', () => {
  it.each([
    ['1234567', '1234567', 'short'],
    ['12345678', '12345678', null],
    // Characters and not bytes or halves of surrogates: as the server counts.
    ['ööööööö', 'ööööööö', 'short'],
    ['😀'.repeat(1024), '😀'.repeat(1024), null],
    ['x'.repeat(1025), 'x'.repeat(1025), 'long'],
    ['12345678', '12345679', 'different'],
    ['12345678 ', '12345678', 'different'],
  ])('%s', (password, again, fault) => expect(passwordFault(password, again)).toBe(fault));

  it.each([['', 'short'], ['12345678', 'fair'], ['12345678901', 'good'], ['correct horse battery', 'strong']])(
    '%s is %s',
    (password, strength) => expect(strengthOf(password)).toBe(strength),
  );
});

describe('what is typed', () => {
  it.each([['1', 1], ['366', 366], [' 90 ', 90], ['0', null], ['367', null], ['', null], ['1.5', null], ['-1', null], ['1e2', null]])(
    '%j days',
    (text, days) => expect(asDays(text)).toBe(days),
  );

  it('one a line', () => expect(lines(' a \n\nb\r\na\n')).toEqual(['a', 'b']));
  it('a code with spaces', () => expect(plainCode(' 123 456\t')).toBe('123456'));

  it('a time', () => {
    expect(instant('')).toBe('');
    expect(instant('soon')).toBe('');
    expect(Date.parse(instant('2026-11-24T10:00'))).toBe(new Date(2026, 10, 24, 10).getTime());
  });
});

describe('errors of other services', () => {
  it.each([
    ['', null, ''],
    ['?a=1', null, '?a=1'],
    ['?sign_on_error=denied', 'denied', ''],
    ['?a=1&sign_on_error=expired&b=2', 'expired', '?a=1&b=2'],
    ['?sign_on_error=<script>', 'unknown', ''],
  ])('%s', (search, error, rest) => expect(takeSignOnError(search)).toEqual({ error, rest }));
});

describe('QR codes', () => {
  it('are a path of squares within their size, with the marks of the corners', () => {
    const { size, path } = qrCode('otpauth://totp/daas:ada?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567&issuer=daas');
    const dark = new Set<string>();
    for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
      for (let n = 0; n < Number(width); n++) dark.add(`${Number(x) + n} ${y}`);
    }
    expect(path.replace(/M\d+ \d+h(\d+)v1h-\1z/g, '')).toBe('');
    expect((size - 8 - 17) % 4).toBe(0);
    for (const [x, y] of [[4, 4], [size - 11, 4], [4, size - 11]] as const) {
      for (let n = 0; n < 7; n++) {
        expect(dark).toContain(`${x + n} ${y}`);
        expect(dark).toContain(`${x} ${y + n}`);
      }
      expect(dark).not.toContain(`${x + 1} ${y + 1}`);
      expect(dark).toContain(`${x + 3} ${y + 3}`);
    }
  });
});
