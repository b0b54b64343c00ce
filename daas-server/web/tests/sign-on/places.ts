/** Places that say who somebody is, as they are elsewhere: slapd, and oidc-provider. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { quoted } from '../server';

export const PERSON = { name: 'ada', password: 'correct horse' };
export const CLIENT_SECRET = 'known to both of us';

/** Another program, which says what it is in one line of JSON and ends with its standard input. */
export class Place<T> {
  private constructor(
    readonly about: T,
    private readonly child: ChildProcess,
  ) {}

  static async start<T>(command: string, args: readonly string[], folder = '.'): Promise<Place<T>> {
    // The provider has much to say about itself.
    const child = spawn(command, args, { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit')])) as unknown[];
    if (typeof line !== 'string') throw new Error(`${command} ended with ${String(line)}`);
    return new Place(JSON.parse(line) as T, child);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.stdin?.end();
    await ended;
  }
}

export type Directory = Place<Readonly<Record<string, string>>>;
export type Provider = Place<{ readonly issuer: string }>;

export async function directory(): Promise<Directory> {
  const program = process.env['TEST_DIRECTORY'];
  if (!program) throw new Error('TEST_DIRECTORY is not set; scripts/test sets it');
  const people = [{ ...PERSON, groups: ['staff'] }];
  return Place.start(program, [JSON.stringify({ people })]);
}

/** A provider that knows a server at this address. */
export async function provider(url: string): Promise<Provider> {
  const folder = fileURLToPath(new URL('../../../../daas-core/tests/oidc-provider', import.meta.url));
  const claims = { sub: 'u-1815', preferred_username: 'grace', email: 'grace@example.org', groups: ['staff'] };
  const config = {
    clients: [
      {
        client_id: 'daas',
        client_secret: CLIENT_SECRET,
        redirect_uris: [`${url}/api/v1/sign-on/oidc/corp/callback`],
        post_logout_redirect_uris: [`${url}/`],
      },
    ],
    people: [{ login: 'grace', password: PERSON.password, claims }],
  };
  return Place.start(process.execPath, ['provider.mjs', JSON.stringify(config)], folder);
}

/** The part of the configuration that is about them. */
export function settings(of: Directory, issuer: string): string {
  const ldap = Object.entries(of.about).map(([name, value]) => `${name} = ${quoted(value)}`);
  const oidc = { id: 'corp', name: 'Corp & Co', issuer, client_id: 'daas', client_secret: CLIENT_SECRET };
  const lines = Object.entries(oidc).map(([name, value]) => `${name} = ${quoted(value)}`);
  const scopes = 'scopes = ["openid", "profile", "email", "groups"]';
  return ['[ldap]', ...ldap, '[[oidc]]', ...lines, scopes].join('\n');
}

/** A port that is free, and likely to stay so for a while. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
