// What was done, by whom.

/**
 * @typedef {object} Entry
 * @property {number} seq
 * @property {string} at
 * @property {string | null} actor_id
 * @property {string | null} actor
 * @property {string | null} address
 * @property {string} action
 * @property {string} target_kind
 * @property {string} target_id
 * @property {string} target
 * @property {'done' | 'refused' | 'failed'} outcome
 * @property {object | null} before
 * @property {object | null} after
 */

export class Audit {
  constructor() {
    /** @type {Entry[]} the newest first */
    this.entries = [];
  }

  /** @param {Partial<Entry> & { action: string }} what */
  add(what) {
    this.entries.unshift({
      seq: this.entries.length + 1,
      at: new Date().toISOString(),
      actor_id: null,
      actor: null,
      address: '127.0.0.1',
      target_kind: 'user',
      target_id: '',
      target: '',
      outcome: 'done',
      before: null,
      after: null,
      ...what,
    });
  }

  /** @param {URLSearchParams} query */
  find(query) {
    const [actor, action, target, from, to] = ['actor', 'action', 'target', 'from', 'to'].map((name) => query.get(name) ?? '');
    return this.entries.filter(
      (entry) =>
        has(entry.actor, actor) &&
        has(entry.action, action) &&
        has(entry.target, target) &&
        (!from || entry.at >= from) &&
        (!to || entry.at <= to),
    );
  }
}

/**
 * @param {string | null} text
 * @param {string | undefined} wanted
 */
function has(text, wanted) {
  return !wanted || (text ?? '').includes(wanted);
}

/**
 * @param {readonly Entry[]} entries
 * @param {string | null} format
 */
export function exported(entries, format) {
  if (format !== 'csv') return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const names = /** @type {const} */ (['seq', 'at', 'actor', 'action', 'target', 'outcome']);
  const cell = (/** @type {unknown} */ value) => `"${String(value ?? '').replaceAll('"', '""')}"`;
  return [names.join(','), ...entries.map((entry) => names.map((name) => cell(entry[name])).join(','))].join('\r\n');
}
