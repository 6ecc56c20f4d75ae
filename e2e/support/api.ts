/** A caller of the HTTP interface: one tenant, one actor, one token. Nothing but what any client could do. */
import { randomUUID } from 'node:crypto';
import { issueToken } from '#shared/access/local-issuer.ts';

/** What the interface answers is looked at as the plain JSON it is, not through the schemas that made it. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach into answers by name, and a wrong name fails them
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else the text. */
  readonly body: Json;
  /** Cool-Mint-Position; empty where there is none. */
  readonly position: string;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Not JSON: sent as it is, with the Content-Type in `headers`. */
  readonly raw?: string | Uint8Array;
}

export interface Api {
  readonly tenant: string;
  readonly actor: string;
  readonly token: string;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  get(path: string, headers?: CallOptions['headers']): Promise<Answer>;
  post(path: string, body?: unknown, headers?: CallOptions['headers']): Promise<Answer>;
  patch(path: string, body: unknown, headers?: CallOptions['headers']): Promise<Answer>;
  /** Throws unless the answer has one of these statuses (2xx where none is given); answers it. */
  ok(answer: Promise<Answer>, ...statuses: number[]): Promise<Answer>;
}

export interface Who {
  readonly tenant: string;
  readonly actor?: string;
  readonly name?: string;
  readonly permissions?: readonly string[];
  /** With every call, where it has none of the name. */
  readonly headers?: Readonly<Record<string, string>>;
}

export async function createApi(url: string, dataDir: string, who: Who): Promise<Api> {
  const actor = who.actor ?? `user-${who.tenant}`;
  const token = await issueToken(dataDir, {
    tenant: who.tenant,
    actor,
    name: who.name,
    permissions: who.permissions,
    hours: 1,
  });
  return apiWithToken(url, token, who.tenant, actor, who.headers);
}

export function apiWithToken(
  url: string,
  token: string,
  tenant: string,
  actor: string,
  always: Readonly<Record<string, string>> = {},
): Api {
  async function call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const sent = options.raw ?? (body === undefined ? null : JSON.stringify(body));
    const response = await fetch(`${url}${path.startsWith('/api') ? '' : '/api/v1'}${path}`, {
      method,
      headers: {
        ...always,
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      body: sent as string | null,
      signal: AbortSignal.timeout(60_000),
    }).catch((error: Error) => {
      throw new Error(`${method} ${path}: ${error.message}`, { cause: error });
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : text,
      position: response.headers.get('cool-mint-position') ?? '',
    };
  }
  const api: Api = {
    tenant,
    actor,
    token,
    call,
    get: (path, headers) => call('GET', path, undefined, headers ? { headers } : {}),
    post: (path, body, headers) => call('POST', path, body, headers ? { headers } : {}),
    patch: (path, body, headers) => call('PATCH', path, body, headers ? { headers } : {}),
    async ok(answer, ...statuses) {
      const { status, body } = await answer;
      const wanted = statuses.length > 0 ? statuses.includes(status) : status >= 200 && status < 300;
      if (!wanted) throw new Error(`answered ${status}: ${JSON.stringify(body).slice(0, 2_000)}`);
      return answer;
    },
  };
  return api;
}

export const newKey = () => ({ 'Idempotency-Key': randomUUID() });
