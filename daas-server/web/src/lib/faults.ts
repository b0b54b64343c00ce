/** What is wrong with a form, in words, by field. */

import { t } from './text';
import { nameFault, passwordFault } from './validate';

export function nameFaults(name: string): { name?: string } {
  const fault = nameFault(name);
  return fault === null ? {} : { name: t.access.nameFault[fault] };
}

export function newPasswordFaults(password: string, again: string): { password?: string; again?: string } {
  const fault = passwordFault(password, again);
  if (fault === null) return {};
  const words = t.access.passwordFault[fault];
  return fault === 'different' ? { again: words } : { password: words };
}
