/** What is expected of guacamole-common-js: lengths in codepoints, in both directions. */

import Guacamole from '@glokon/guacamole-common-js';
import { expect, it } from 'vitest';
import { decode, encode } from '../../mock/guacamole.mjs';
import { integer, random, SAMPLE, unicode } from './random';

function parse(packets: readonly string[]): string[][] {
  const instructions: string[][] = [];
  const parser = new Guacamole.Parser();
  parser.oninstruction = (opcode, parameters) => instructions.push([opcode, ...parameters]);
  for (const packet of packets) parser.receive(packet);
  return instructions;
}

it('counts codepoints, not UTF-16 units', () => {
  expect(Guacamole.Parser.toInstruction(['clipboard', SAMPLE])).toBe(`9.clipboard,16.${SAMPLE};`);
  expect([...SAMPLE].length).toBe(16);
});

it('writes what an independent reader reads', () => {
  const next = random(3);
  for (let round = 0; round < 200; round++) {
    const elements = Array.from({ length: 1 + integer(next, 6) }, () => unicode(next, integer(next, 40)));
    expect(decode(Guacamole.Parser.toInstruction(elements))).toEqual([elements]);
  }
});

it('reads what an independent writer writes, several instructions to a message', () => {
  const next = random(4);
  for (let round = 0; round < 200; round++) {
    const instructions = Array.from({ length: 1 + integer(next, 5) }, () =>
      Array.from({ length: 1 + integer(next, 6) }, () => unicode(next, integer(next, 40))),
    );
    const messages = instructions.map((elements) => encode(...elements));
    const at = integer(next, messages.length + 1);
    const packets = [messages.slice(0, at).join(''), messages.slice(at).join('')];
    expect(parse(packets.filter((packet) => packet !== ''))).toEqual(instructions);
  }
});
