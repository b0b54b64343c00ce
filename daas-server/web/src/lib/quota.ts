/** What can be said of quotas without asking the server. */

import { DIMENSIONS, type Allowance, type Dimension, type OwnQuota, type Quota } from './api/quota';

/** Why a launch would be refused. */
export interface Full {
  readonly dimension: Dimension;
  readonly limit: number;
  /** Whether it is the limit of that one application. */
  readonly ofApp: boolean;
}

/** The first limit that is reached. What an application needs is not known, so none is foreseen closer. */
export function fullFor(quota: OwnQuota | null, appId: string): Full | null {
  if (quota === null) return null;
  const app = quota.apps.find((entry) => entry.appId === appId);
  return reached(quota, false) ?? (app ? reached(app, true) : null);
}

function reached({ limits, used }: Allowance, ofApp: boolean): Full | null {
  for (const dimension of DIMENSIONS) {
    const limit = limits[dimension];
    if (limit !== null && used[dimension] >= limit) return { dimension, limit, ofApp };
  }
  return null;
}

/** How much of a limit is used, for a bar: 0 to 1. */
export function share(used: number, limit: number): number {
  if (limit <= 0) return 1;
  return Math.min(Math.max(used / limit, 0), 1);
}

/** What one unit in a form is, in units of the interface. */
const UNITS: Record<Dimension, number> = {
  instances: 1,
  cpu_millis: 1000,
  memory_mib: 1024,
  disk_mib: 1024,
  hours_week: 1,
};

/** Enough digits that a number comes back as it was. */
const DIGITS = 4;

/** Larger numbers are mistakes. */
const LIMIT_MAX = 1_000_000_000;

/** A limit as it is written in a form; empty is no limit. */
export function written(dimension: Dimension, limit: number | null): string {
  return limit === null ? '' : inUnits(dimension, limit);
}

/** A number of a dimension in CPUs, GiB or hours. */
export function inUnits(dimension: Dimension, value: number, digits = DIGITS): string {
  return String(Number((value / UNITS[dimension]).toFixed(digits)));
}

/** What is written in a form as a limit, or `undefined` where it is none. */
export function asLimit(dimension: Dimension, text: string): number | null | undefined {
  const plain = text.trim().replace(',', '.');
  if (plain === '') return null;
  if (!/^\d{1,12}(\.\d{1,12})?$/.test(plain)) return undefined;
  const value = Math.round(Number(plain) * UNITS[dimension]);
  const whole = dimension !== 'instances' || Number.isInteger(Number(plain));
  return whole && value <= LIMIT_MAX ? value : undefined;
}

export type Drafts = Record<Dimension, string>;

export function draftsOf(quota: Quota): Drafts {
  return Object.fromEntries(DIMENSIONS.map((name) => [name, written(name, quota[name])])) as Drafts;
}

/** The quota of a filled form, and the fields that hold no number. */
export function quotaOf(drafts: Drafts): { quota: Quota; wrong: Dimension[] } {
  const limits = DIMENSIONS.map((name) => [name, asLimit(name, drafts[name])] as const);
  const wrong = limits.filter(([, limit]) => limit === undefined).map(([name]) => name);
  return { quota: Object.fromEntries(limits.map(([name, limit]) => [name, limit ?? null])) as Quota, wrong };
}
