/** What everybody may do about themselves. */

import type { Client } from './client';
import { fields, flag, known, optionalText, optionalTime, page, text, texts, time, Unexpected, type Page } from './decode';
import { readOwnQuota, type OwnQuota } from './quota';

export const SCOPES = [
  'apps_read',
  'instances_read',
  'instances_write',
  'users_read',
  'users_write',
  'audit_read',
  'hosts_read',
  'hosts_write',
] as const;

/** What a token may be used for. */
export type Scope = (typeof SCOPES)[number];

/** One browser in which somebody is logged in. */
export interface Login {
  readonly id: string;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly address: string;
  readonly userAgent: string;
  /** Whether it is this very browser. */
  readonly current: boolean;
}

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
}

/** What an authenticator app has to know. */
export interface TotpSetUp {
  readonly secret: string;
  readonly url: string;
}

/** How one may log in. */
export interface SignOn {
  readonly providers: readonly { readonly id: string; readonly name: string }[];
}

export function readSignOn(value: unknown): SignOn {
  const oidc = fields(value, 'sign_on')['oidc'] ?? [];
  const read = page((entry, path) => {
    const from = fields(entry, path);
    return { id: text(from, 'id', path), name: text(from, 'name', path) };
  });
  return { providers: read({ items: oidc }).items };
}

/** Where the browser has to go to be logged out by another service too, if anywhere. */
export function readLogOut(value: unknown): string | null {
  if (value === undefined) return null;
  const url = text(fields(value, 'log_out'), 'log_out_url', 'log_out');
  if (!/^https?:\/\//.test(url)) throw new Unexpected('log_out.log_out_url', 'an address');
  return url;
}

function readLogin(value: unknown, path: string): Login {
  const from = fields(value, path);
  return {
    id: text(from, 'id', path),
    createdAt: time(from, 'created_at', path),
    usedAt: time(from, 'used_at', path),
    address: optionalText(from, 'address'),
    userAgent: optionalText(from, 'user_agent'),
    current: flag(from, 'current'),
  };
}

function readToken(value: unknown, path = 'token'): Token {
  const from = fields(value, path);
  return {
    id: text(from, 'id', path),
    name: text(from, 'name', path),
    scopes: known(from, 'scopes', SCOPES),
    createdAt: time(from, 'created_at', path),
    expiresAt: optionalTime(from, 'expires_at', path),
    lastUsedAt: optionalTime(from, 'last_used_at', path),
  };
}

function readTotp(value: unknown): TotpSetUp {
  const from = fields(value, 'totp');
  return { secret: text(from, 'secret', 'totp'), url: text(from, 'url', 'totp') };
}

export class ProfileApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  quota(): Promise<OwnQuota> {
    return this.#client.ask(readOwnQuota, { method: 'GET', path: '/profile/quota' });
  }

  beginTotp(password: string): Promise<TotpSetUp> {
    return this.#client.ask(readTotp, { method: 'POST', path: '/profile/totp', body: { password } });
  }

  /** Returns the recovery codes, which are never shown again. */
  confirmTotp(code: string): Promise<string[]> {
    const read = (value: unknown) => texts(fields(value, 'codes'), 'recovery_codes');
    return this.#client.ask(read, { method: 'POST', path: '/profile/totp/confirm', body: { code } });
  }

  disableTotp(password: string): Promise<void> {
    return this.#client.tell({ method: 'POST', path: '/profile/totp/disable', body: { password } });
  }

  logins(): Promise<Page<Login>> {
    return this.#client.ask(page(readLogin), { method: 'GET', path: '/profile/sessions' });
  }

  endLogin(id: string): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: `/profile/sessions/${encodeURIComponent(id)}` });
  }

  endOtherLogins(): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: '/profile/sessions' });
  }

  tokens(): Promise<Page<Token>> {
    return this.#client.ask(page(readToken), { method: 'GET', path: '/tokens' });
  }

  /** Returns the secret, which is never shown again. */
  createToken(name: string, scopes: readonly Scope[], days: number): Promise<string> {
    const read = (value: unknown) => text(fields(value, 'token'), 'token', 'token');
    const body = { name, scopes, expires_in_days: days };
    return this.#client.ask(read, { method: 'POST', path: '/tokens', body });
  }

  deleteToken(id: string): Promise<void> {
    return this.#client.tell({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` });
  }
}
