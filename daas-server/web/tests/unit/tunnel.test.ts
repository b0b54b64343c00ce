import { beforeEach, describe, expect, it, vi } from 'vitest';
import { decode, encode } from '../../mock/guacamole.mjs';
import { Code } from '../../src/lib/guac/status';
import { Tunnel, TunnelState, type Socket } from '../../src/lib/guac/tunnel';

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: string[] = [];
  closed = false;

  send(data: string): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  say(...elements: (string | number)[]): void {
    this.onmessage?.({ data: encode(...elements) });
  }

  get pings(): string[] {
    return this.sent.flatMap((message) => decode(message).flatMap(([opcode, kind, at]) => (opcode === '' && kind === 'ping' ? [at ?? ''] : [])));
  }
}

let now = 0;
let check: (() => void) | null = null;
let socket = new FakeSocket();
let tunnel: Tunnel;
let ends: (number | null)[] = [];
let states: number[] = [];

/** Time goes by, with a look at the clock every 250 ms. */
function pass(ms: number): void {
  for (const end = now + ms; now < end; ) {
    now += 250;
    check?.();
  }
}

beforeEach(() => {
  now = 1000;
  check = null;
  socket = new FakeSocket();
  ends = [];
  states = [];
  tunnel = new Tunnel('ws://host/tunnel', {
    connect: () => socket,
    now: () => now,
    setTimer: (run) => {
      check = run;
      return 1;
    },
    clearTimer: () => (check = null),
  });
  tunnel.onend = (code) => ends.push(code);
  tunnel.onstatechange = (state) => states.push(state);
  tunnel.connect();
});

function open(): void {
  socket.onopen?.();
  socket.say('', 'uuid-of-the-tunnel');
}

describe('opening', () => {
  it('opens with the first instruction and takes its id', () => {
    open();
    expect(tunnel.uuid).toBe('uuid-of-the-tunnel');
    expect(states).toEqual([TunnelState.CONNECTING, TunnelState.OPEN]);
    expect(socket.pings).toHaveLength(1);
  });

  it('sends nothing before', () => {
    tunnel.sendMessage('key', 97, 1);
    expect(socket.sent).toEqual([]);
  });

  it('passes on instructions, but not what is between the ends of the tunnel', () => {
    const seen: string[] = [];
    tunnel.oninstruction = (opcode) => seen.push(opcode);
    open();
    socket.say('', 'ping', '1');
    socket.say('size', 0, 640, 480);
    expect(seen).toEqual(['size']);
  });

  it('gives up on a server that never answers', () => {
    pass(15_500);
    expect(ends).toEqual([null]);
    expect(socket.closed).toBe(true);
  });
});

describe('pings', () => {
  it('are sent about every 500 ms and measured when they come back', () => {
    const roundtrips: number[] = [];
    tunnel.onroundtrip = (ms) => roundtrips.push(ms);
    open();
    const [first = ''] = socket.pings;
    now += 42;
    socket.say('', 'ping', first);
    expect(roundtrips).toEqual([42]);
    pass(2000);
    expect(socket.pings.length).toBeGreaterThanOrEqual(4);
    expect(socket.pings.length).toBeLessThanOrEqual(6);
  });

  it('that come back with nonsense are not measured', () => {
    const measured = vi.fn();
    tunnel.onroundtrip = measured;
    open();
    for (const at of ['NaN', '', '0', '999', '99999999', '-1e99']) socket.say('', 'ping', at);
    expect(measured).not.toHaveBeenCalled();
  });
});

describe('silence', () => {
  it('makes it unstable after 1.5 s, and anything heard makes it good again', () => {
    open();
    pass(2000);
    expect(tunnel.state).toBe(TunnelState.UNSTABLE);
    socket.say('nop');
    expect(tunnel.state).toBe(TunnelState.OPEN);
  });

  it('ends it after 15 s', () => {
    open();
    pass(14_500);
    expect(ends).toEqual([]);
    pass(1000);
    expect(ends).toEqual([null]);
  });

  it('is not held against the server while the page slept', () => {
    open();
    now += 3_600_000;
    check?.();
    expect(ends).toEqual([]);
    socket.say('nop');
    pass(10_000);
    expect(ends).toEqual([]);
  });

  it('after a sleep ends it nevertheless when nobody answers', () => {
    open();
    now += 3_600_000;
    check?.();
    pass(5000);
    expect(ends).toEqual([null]);
  });
});

describe('the end', () => {
  it.each([
    { close: { code: 1000, reason: '523' }, code: 523 },
    { close: { code: 1006, reason: '' }, code: null },
    { close: { code: 1000, reason: '' }, code: Code.SUCCESS },
    { close: { code: 1012, reason: '' }, code: Code.SERVER_BUSY },
    { close: { code: 1000, reason: 'nonsense 1' }, code: Code.SUCCESS },
    { close: { code: 1011, reason: '' }, code: Code.SERVER_ERROR },
  ])('is told once: $close', ({ close, code }) => {
    open();
    socket.onclose?.(close);
    socket.onclose?.(close);
    pass(20_000);
    expect(ends).toEqual([code]);
    expect(tunnel.state).toBe(TunnelState.CLOSED);
  });

  it.each(['3a.nop;', 'x', '3.nop!', '.;'])('comes with bytes that are no instruction: %s', (data) => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    open();
    socket.onmessage?.({ data: data === '3a.nop;' ? '3.nopa;' : data + '.' });
    quiet.mockRestore();
    expect(ends).toEqual([Code.SERVER_ERROR]);
  });

  it('comes with a message that is not text', () => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    open();
    socket.onmessage?.({ data: new Blob([]) });
    quiet.mockRestore();
    expect(ends).toEqual([Code.SERVER_ERROR]);
  });

  it('comes when a handler fails, and stops the rest of the message', () => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const seen: string[] = [];
    tunnel.oninstruction = (opcode) => {
      seen.push(opcode);
      throw new Error('cannot draw');
    };
    open();
    socket.onmessage?.({ data: encode('a') + encode('b') });
    quiet.mockRestore();
    expect(seen).toEqual(['a']);
    expect(ends).toEqual([Code.SERVER_ERROR]);
  });
});
