/** Finding users and groups by name, to choose some. */

import type { Named } from '../lib/api/access';
import { model } from './model.svelte';

const SHOWN = '20';
const PAGES_MAX = 20;

export async function searchUsers(text: string): Promise<readonly Named[]> {
  return (await model.admin.users(text, null, SHOWN)).items;
}

/** There are few groups, and the server does not search them. */
export async function searchGroups(text: string): Promise<readonly Named[]> {
  const wanted = text.toLocaleLowerCase();
  const found: Named[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { items, next }: { items: readonly Named[]; next: string | null } = await model.admin.groups(cursor);
    found.push(...items.filter(({ name }) => name.toLocaleLowerCase().includes(wanted)));
    if (next === null) break;
    cursor = next;
  }
  return found;
}
