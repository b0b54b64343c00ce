// The wire format of the Guacamole protocol, written independently of the library that the
// page uses, so that each checks the other. Lengths count Unicode codepoints.

/** @param {readonly (string | number)[]} elements */
export function encode(...elements) {
  return elements.map((element) => `${[...String(element)].length}.${element}`).join(',') + ';';
}

/**
 * The instructions of a message, each a list of elements. Throws on anything that is not
 * whole, valid instructions.
 * @param {string} message
 * @returns {string[][]}
 */
export function decode(message) {
  const characters = [...message];
  const instructions = [];
  let place = 0;
  while (place < characters.length) {
    /** @type {string[]} */
    const elements = [];
    for (;;) {
      let digits = '';
      while (/^\d$/.test(characters[place] ?? '')) digits += characters[place++];
      if (!/^(0|[1-9]\d{0,4})$/.test(digits) || characters[place++] !== '.') throw new Error('no length');
      const end = place + Number(digits);
      if (end >= characters.length) throw new Error('cut off');
      elements.push(characters.slice(place, end).join(''));
      place = end + 1;
      if (characters[end] === ';') break;
      if (characters[end] !== ',') throw new Error('wrong terminator');
    }
    instructions.push(elements);
  }
  return instructions;
}
