/** Hosts: what runs desktops, and how it is read from JSON. */

import { count, fields, flag, list, optionalText, optionalTime, text, texts, word, type Fields } from './decode';

const STATES = ['fine', 'stale', 'unreachable', 'unknown'] as const;

/** How a host does; `unknown` where it is not set up any more, or this page is too old. */
export type HostState = (typeof STATES)[number];

/** So much of processors (in thousandths) and memory (in MiB). */
export interface Load {
  readonly cpuMillis: number;
  readonly memoryMib: number;
}

export interface HostNode {
  readonly name: string;
  readonly online: boolean;
  readonly running: number;
  readonly memoryMib: number;
  readonly memoryUsedMib: number;
}

export interface Host {
  readonly name: string;
  readonly labels: readonly string[];
  readonly state: HostState;
  readonly seenAt: number | null;
  /** Why it cannot be used, or empty. */
  readonly fault: string;
  /** Whether it is being emptied. */
  readonly drained: boolean;
  readonly version: string;
  readonly running: number | null;
  readonly capacity: Load | null;
  readonly committed: Load & { readonly instances: number };
  /** Desktops on it that nobody knows. */
  readonly orphans: number;
  readonly nodes: readonly HostNode[];
}

export function readHostState(value: unknown): HostState {
  return word(value, STATES, 'unknown');
}

function readLoad(value: unknown, path: string): Load {
  const from = fields(value, path);
  return { cpuMillis: count(from, 'cpu_millis', path), memoryMib: count(from, 'memory_mib', path) };
}

function readNode(value: unknown, path: string): HostNode {
  const from = fields(value, path);
  return {
    name: text(from, 'name', path),
    online: flag(from, 'online'),
    running: count(from, 'running', path),
    memoryMib: count(from, 'memory_mib', path),
    memoryUsedMib: count(from, 'memory_used_mib', path),
  };
}

function optionalCount(from: Fields, name: string, path: string): number | null {
  return from[name] === null || from[name] === undefined ? null : count(from, name, path);
}

export function readHost(value: unknown, path = 'host'): Host {
  const from = fields(value, path);
  const committed = fields(from['committed'], `${path}.committed`);
  return {
    name: text(from, 'name', path),
    labels: texts(from, 'labels'),
    state: readHostState(from['state']),
    seenAt: optionalTime(from, 'seen_at', path),
    fault: optionalText(from, 'fault'),
    drained: flag(from, 'drained'),
    version: optionalText(from, 'version'),
    running: optionalCount(from, 'running', path),
    capacity: from['capacity'] === null ? null : readLoad(from['capacity'], `${path}.capacity`),
    committed: {
      ...readLoad(committed, `${path}.committed`),
      instances: count(committed, 'instances', `${path}.committed`),
    },
    orphans: optionalCount(from, 'orphans', path) ?? 0,
    nodes: from['nodes'] === undefined ? [] : list(from['nodes'], `${path}.nodes`, readNode),
  };
}
