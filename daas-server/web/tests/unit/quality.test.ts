import { expect, it } from 'vitest';
import { QualityMeter } from '../../src/lib/guac/quality';

function measure(...roundtrips: number[]): QualityMeter {
  const meter = new QualityMeter();
  for (const ms of roundtrips) meter.roundtrip(ms);
  return meter;
}

it.each([
  [[], { grade: 'unknown', ms: null }],
  [[12, 14, 11], { grade: 'good', ms: 12 }],
  [[180, 190, 200], { grade: 'slow', ms: 190 }],
  [[20, 20, 20, 900], { grade: 'good', ms: 20 }],
  [[20, 800, 30, 900, 25, 700], { grade: 'unstable', ms: 700 }],
])('%j is %j', (roundtrips, quality) => {
  expect(measure(...roundtrips).read()).toEqual(quality);
});

it('forgets what is long past', () => {
  const meter = measure(...Array<number>(20).fill(900), ...Array<number>(10).fill(10));
  expect(meter.read()).toEqual({ grade: 'good', ms: 10 });
});

it('is unstable while nothing arrives', () => {
  const meter = measure(10, 10);
  meter.silent(true);
  expect(meter.read()).toEqual({ grade: 'unstable', ms: 10 });
  meter.silent(false);
  expect(meter.read().grade).toBe('good');
});
