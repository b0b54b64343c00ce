/** What somebody may use, and what they do use. */

import { count, fields, list, text, type Fields } from './decode';

/** What is limited. CPUs in thousandths, memory and disk in MiB, hours of the last seven days. */
export const DIMENSIONS = ['instances', 'cpu_millis', 'memory_mib', 'disk_mib', 'hours_week'] as const;

export type Dimension = (typeof DIMENSIONS)[number];
/** The most of each; `null` is no limit. */
export type Quota = Readonly<Record<Dimension, number | null>>;
export type Usage = Readonly<Record<Dimension, number>>;

export interface Allowance {
  readonly limits: Quota;
  readonly used: Usage;
}

/** Of one application, where it has limits of its own. */
export interface AppAllowance extends Allowance {
  readonly appId: string;
}

export interface OwnQuota extends Allowance {
  readonly apps: readonly AppAllowance[];
}

export const UNLIMITED: Quota = {
  instances: null,
  cpu_millis: null,
  memory_mib: null,
  disk_mib: null,
  hours_week: null,
};

function each<T>(read: (dimension: Dimension) => T): Record<Dimension, T> {
  return Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, read(dimension)])) as Record<Dimension, T>;
}

function limit(from: Fields, name: string, path: string): number | null {
  return from[name] === null || from[name] === undefined ? null : count(from, name, path);
}

export function readQuota(value: unknown, path = 'quota'): Quota {
  const from = fields(value, path);
  return each((dimension) => limit(from, dimension, path));
}

function readAllowance(from: Fields, path: string): Allowance {
  const used = fields(from['used'], `${path}.used`);
  return {
    limits: readQuota(from['limits'], `${path}.limits`),
    used: each((dimension) => limit(used, dimension, `${path}.used`) ?? 0),
  };
}

export function readOwnQuota(value: unknown): OwnQuota {
  const from = fields(value, 'quota');
  const apps = list(from['apps'] ?? [], 'quota.apps', (entry, path) => {
    const app = fields(entry, path);
    return { ...readAllowance(app, path), appId: text(app, 'app_id', path) };
  });
  return { ...readAllowance(from, 'quota'), apps };
}
