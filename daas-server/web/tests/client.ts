/** A program that uses the interface as the page does. */

import { ADMIN } from './server';

/** A body of JSON, as loosely as a test reads it. */
export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

export class Client {
  private constructor(
    private readonly url: string,
    private readonly headers: Record<string, string>,
  ) {}

  /** Logs in as the administrator, with a program that calls itself something. */
  static async logIn(url: string, agent = 'names'): Promise<Client> {
    const headers = { 'content-type': 'application/json', origin: url, 'user-agent': agent };
    const body = JSON.stringify({ username: ADMIN.name, password: ADMIN.password });
    const answer = await fetch(`${url}/api/v1/session`, { method: 'POST', headers, body });
    if (answer.status !== 200) throw new Error(`log-in: ${answer.status}`);
    const { csrf_token: csrf } = (await answer.json()) as { csrf_token: string };
    const cookie = answer.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
    return new Client(url, { ...headers, cookie, 'x-csrf-token': csrf });
  }

  async send(method: string, path: string, body?: unknown): Promise<Answer> {
    const init = { method, headers: this.headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`${this.url}/api/v1${path}`, init);
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
  }

  /** Sends what has to work. */
  async done(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}
