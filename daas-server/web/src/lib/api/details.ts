/** More of one instance: what it went through, and states of it that are kept. */

import type { Client } from './client';
import { count, fields, flag, list, text, time, word } from './decode';
import { readFailure, STATES, type Failure, type InstanceState } from './types';

/** A state that an instance was in, or is. */
export interface Step {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly state: InstanceState;
  /** How long it was; `null` where it still is. */
  readonly durationMs: number | null;
  readonly failure: Failure | null;
}

/** The state of an instance's disks, to go back to. */
export interface Snapshot {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
}

function readStep(value: unknown, path: string): Step {
  const from = fields(value, path);
  return {
    at: time(from, 'at', path),
    state: word<InstanceState>(text(from, 'state', path), STATES, 'unknown'),
    durationMs: from['duration_ms'] === null ? null : count(from, 'duration_ms', path),
    failure: readFailure(from['failure']),
  };
}

function readSnapshot(value: unknown, path: string): Snapshot {
  const from = fields(value, path);
  return { name: text(from, 'name', path), madeAt: time(from, 'made_at', path) };
}

export function readTimeline(value: unknown): Step[] {
  return list(fields(value, 'timeline')['items'], 'timeline.items', readStep);
}

export function readSnapshots(value: unknown): Snapshot[] {
  return list(fields(value, 'snapshots')['items'], 'snapshots.items', readSnapshot);
}

/** Whether something takes longer, and goes on after the answer. Who is done says nothing. */
export function readGoesOn(value: unknown): boolean {
  return value === undefined ? false : flag(fields(value, 'answer'), 'goes_on');
}

export class DetailsApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  timeline(id: string): Promise<Step[]> {
    return this.#client.ask(readTimeline, { method: 'GET', path: `${pathOf(id)}/timeline` });
  }

  snapshots(id: string): Promise<Snapshot[]> {
    return this.#client.ask(readSnapshots, { method: 'GET', path: `${pathOf(id)}/snapshots` });
  }

  /** Returns whether it goes on, as with what follows. */
  take(id: string, name: string): Promise<boolean> {
    return this.#client.ask(readGoesOn, { method: 'POST', path: `${pathOf(id)}/snapshots`, body: { name } });
  }

  goBack(id: string, name: string): Promise<boolean> {
    return this.#client.ask(readGoesOn, { method: 'POST', path: `${snapshotPath(id, name)}/rollback` });
  }

  remove(id: string, name: string): Promise<boolean> {
    return this.#client.ask(readGoesOn, { method: 'DELETE', path: snapshotPath(id, name) });
  }
}

function pathOf(id: string): string {
  return `/instances/${encodeURIComponent(id)}`;
}

function snapshotPath(id: string, name: string): string {
  return `${pathOf(id)}/snapshots/${encodeURIComponent(name)}`;
}
