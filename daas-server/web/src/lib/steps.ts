/** The steps from a click to a desktop, as they are shown. */

import type { Instance, InstanceState, Step } from './api/types';

export type StepId = 'image' | 'container' | 'desktop' | 'resume' | 'connect';
export type StepStatus = 'todo' | 'active' | 'done' | 'failed';

export interface ShownStep {
  readonly id: StepId;
  readonly status: StepStatus;
}

const STARTING: readonly StepId[] = ['image', 'container', 'desktop', 'connect'];
const RESUMING: readonly StepId[] = ['resume', 'connect'];

/** What leads from `from` to a picture. */
function planOf(from: InstanceState | null): readonly StepId[] {
  return from === 'suspended' || from === 'resuming' ? RESUMING : STARTING;
}

/** Where on the plan an instance is. */
function placeOf(plan: readonly StepId[], state: InstanceState | null, step: Step | null): number {
  const connect = plan.length - 1;
  if (state === 'running' || step === 'ready') return connect;
  const place = step === null ? 0 : plan.indexOf(step);
  return Math.max(place, 0);
}

export interface Progress {
  /** The state in which it was opened, or `null` when it was launched just now. */
  readonly from: InstanceState | null;
  /** The instance, or `null` while it is being asked for. */
  readonly instance: Pick<Instance, 'state' | 'step'> | null;
  /** The last step that was seen: a failed instance does not tell where it failed. */
  readonly lastStep: Step | null;
  /** Whether the picture is there. */
  readonly connected: boolean;
  /** Whether it cannot go on. */
  readonly failed: boolean;
}

export function shownSteps({ from, instance, lastStep, connected, failed }: Progress): ShownStep[] {
  const plan = planOf(from);
  const step = instance?.step ?? lastStep;
  const place = connected ? plan.length : placeOf(plan, instance?.state ?? null, step);
  return plan.map((id, index) => ({ id, status: statusAt(index - place, failed) }));
}

/** `distance` from the place that has been reached. */
function statusAt(distance: number, failed: boolean): StepStatus {
  if (distance < 0) return 'done';
  if (distance > 0) return 'todo';
  return failed ? 'failed' : 'active';
}
