/** The server as it is run: its own program, its own database, its own page. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ADMIN = { name: 'admin', password: 'an administrator of tests' };

/** An application of the catalogue. */
export interface App {
  readonly slug: string;
  readonly name: string;
  readonly description: string;
}

/** What differs from server to server. */
export interface Options {
  /** Without any, the catalogue is the usual one. */
  readonly apps?: readonly App[];
  /** Where to listen on loopback; without, wherever there is room. */
  readonly port?: number;
  /** More of the configuration. */
  readonly more?: string;
}

/** A basic string of TOML. It knows the escapes of JSON; one more character has to be escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}

function config(folder: string, { apps = [], port = 0, more = '' }: Options): string {
  const catalogue = apps.map(({ slug, name, description }) =>
    ['[[catalogue.apps]]', `slug = ${quoted(slug)}`, `name = ${quoted(name)}`, `description = ${quoted(description)}`, 'image = "none/of-these"'].join('\n'),
  );
  return [
    '[server]',
    `listen = "127.0.0.1:${port}"`,
    '[storage]',
    `path = ${quoted(join(folder, 'data', 'daas.sqlite3'))}`,
    '[docker]',
    // No engine is asked for anything.
    `socket = ${quoted(join(folder, 'no-engine'))}`,
    '[limits]',
    'requests_per_second_per_address = 0',
    'requests_per_second_per_account = 0',
    ...catalogue,
    more,
    '',
  ].join('\n');
}

function program(): string {
  const path = process.env['TEST_SERVER'];
  if (!path) throw new Error('TEST_SERVER is not set; scripts/test sets it');
  return path;
}

export class Server {
  private constructor(
    readonly url: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(options: Options): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), 'daas-'));
    const file = join(folder, 'daas.toml');
    writeFileSync(file, config(folder, options));
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith('DAAS_'));
    const child = spawn(program(), ['serve', '--config', file], {
      cwd: folder,
      env: { ...Object.fromEntries(others), DAAS_ADMIN_PASSWORD: ADMIN.password },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      return new Server(await listening(child), folder, child);
    } catch (error) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  async end(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    rmSync(this.folder, { recursive: true });
    if (code !== 0) throw new Error(`the server ended with ${String(code)}`);
  }
}

/** Where it says that it listens. What it says afterwards is read, so that it can go on. */
function listening(child: ChildProcess): Promise<string> {
  const { stderr } = child;
  if (!stderr) throw new Error('its log is nowhere');
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stderr });
    lines.on('line', (line) => {
      said.push(line);
      const address = /listening on (http:\/\/[\d.:]+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
    lines.on('close', () => reject(new Error(said.join('\n'))));
    child.on('error', reject);
  });
}
