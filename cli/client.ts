/**
 * The HTTP interface for verbs. Problems are thrown as ApiProblem, an absent service as ConnectionLost. Nothing is
 * repeated here: who may repeat what is decided by the verbs (retry.ts).
 *
 * Answers and small bodies go through fetch. Parts of an import go through node:http: it tells of an answer that comes
 * before all was sent, waits for a slow reader, and does not give up after five minutes.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { setImmediate } from 'node:timers/promises';
import { ApiProblem, CliError, ConnectionLost } from '#cli/cli-error.ts';
import type { FieldError } from '#shared/http/problem.ts';

export interface ClientOptions {
  readonly url: string;
  readonly token: () => Promise<string>;
  /** What to do where nothing answers; ends the message. */
  readonly whenAway: string;
  readonly userAgent: string;
  /** Ends all calls that are under way; they throw its reason. */
  readonly signal?: AbortSignal;
}

export interface ApiRequest {
  /** GET where absent. */
  readonly method?: 'GET' | 'POST';
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  /** The answer must reflect this position. */
  readonly minPosition?: string | null;
  /** How long the service may wait for it, in seconds. */
  readonly waitSeconds?: number;
  /** Makes a command safe to repeat; a random one where absent. */
  readonly idempotencyKey?: string;
}

export interface ApiAnswer<T> {
  readonly status: number;
  readonly body: T;
  /** Cool-Mint-Position: where what was recorded stands; null for queries. */
  readonly position: string | null;
}

export interface Upload {
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Download {
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Client {
  readonly url: string;
  readonly signal: AbortSignal | undefined;
  call<T>(path: string, request?: ApiRequest): Promise<ApiAnswer<T>>;
  /** A document of any size. */
  download(path: string, request?: ApiRequest): Promise<Download>;
  /** PUTs a body of any size; it is read as fast as the service takes it. */
  upload<T>(path: string, upload: Upload): Promise<ApiAnswer<T>>;
}

const longestAnswerMilliseconds = 120_000;
/** No byte either way for so long: the connection is dead. A part's last batches are applied within seconds. */
const idleMilliseconds = 300_000;

export function createClient({ url, token, whenAway, userAgent, signal }: ClientOptions): Client {
  const away = (error: unknown): Error => {
    if (signal?.aborted) return signal.reason instanceof Error ? signal.reason : new CliError('Stopped.');
    if (error instanceof CliError) return error;
    return new ConnectionLost(`${url} does not answer (${reasonOf(error)})`, whenAway);
  };

  const address = (path: string, query: URLSearchParams | undefined): URL => {
    const target = new URL(`${url}${path}`);
    if (query) target.search = query.toString();
    return target;
  };

  async function send(path: string, request: ApiRequest, timeout: AbortSignal | undefined): Promise<Response> {
    const { method = 'GET', query, body, minPosition, waitSeconds, idempotencyKey } = request;
    const headers: Record<string, string> = {
      Accept: 'application/json, application/problem+json, */*;q=0.5',
      Authorization: `Bearer ${await token()}`,
      'User-Agent': userAgent,
    };
    if (method === 'POST') headers['Idempotency-Key'] = idempotencyKey ?? randomUUID();
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (minPosition) headers['Cool-Mint-Min-Position'] = minPosition;
    if (waitSeconds !== undefined) headers.Prefer = `wait=${waitSeconds}`;
    const signals = [signal, timeout].filter((each) => each !== undefined);
    return fetch(address(path, query), {
      method,
      headers,
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    });
  }

  async function call<T>(path: string, request: ApiRequest = {}): Promise<ApiAnswer<T>> {
    try {
      const answer = await send(path, request, AbortSignal.timeout(longestAnswerMilliseconds));
      return read<T>(url, answer.status, (name) => answer.headers.get(name), await answer.text());
    } catch (error) {
      throw away(error);
    }
  }

  async function download(path: string, request: ApiRequest = {}): Promise<Download> {
    try {
      const answer = await send(path, request, undefined);
      if (!answer.ok || !answer.body) read(url, answer.status, (name) => answer.headers.get(name), await answer.text());
      return { headers: answer.headers, body: pieces(answer.body as AsyncIterable<Uint8Array>) };
    } catch (error) {
      throw away(error);
    }
  }

  async function* pieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw away(error);
    }
  }

  async function upload<T>(path: string, { query, headers, body }: Upload): Promise<ApiAnswer<T>> {
    const all = { ...headers, Authorization: `Bearer ${await token()}`, 'User-Agent': userAgent };
    try {
      const answer = await put(address(path, query), all, body, signal);
      return read<T>(url, answer.status, (name) => answer.headers[name.toLowerCase()]?.toString() ?? null, answer.text);
    } catch (error) {
      throw away(error);
    }
  }

  return { url, signal, call, download, upload };
}

interface PutAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

function put(
  url: URL,
  headers: Record<string, string>,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'PUT',
      headers,
      agent: false,
      timeout: idleMilliseconds,
      ...(signal ? { signal } : {}),
    });
    const over = new AbortController();
    let answered = false;
    const fail = (error: Error) => {
      over.abort();
      request.destroy();
      reject(error);
    };
    request.on('response', (response) => {
      // A service that refuses does not read the rest: its answer counts, and no more is sent.
      answered = true;
      over.abort();
      readText(response)
        .then((text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }), reject)
        .finally(() => request.destroy());
    });
    request.on('timeout', () => fail(new Error(`nothing moved for ${idleMilliseconds / 1000} s`)));
    request.on('error', (error) => {
      if (!answered) fail(error);
    });
    sendBody(request, body, over.signal).catch((error: Error) =>
      fail(error instanceof CliError ? error : new CliError(`The file could not be read to its end: ${error.message}`)),
    );
  });
}

/**
 * Sends piece by piece, no faster than they are taken. Between two of them a whole turn of the event loop reads what has
 * arrived: a refusal is seldom missed then because sending on, to a service that has hung up, failed first (measured: 2 of
 * 3 times without, none of 10 with). Where it is, the caller meets a lost connection, and the refusal when it tries again.
 */
async function sendBody(request: ClientRequest, body: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
  try {
    for await (const chunk of body) {
      if (over.aborted) return;
      if (!request.write(chunk)) await once(request, 'drain', { signal: over });
      await setImmediate();
      await setImmediate();
      if (over.aborted) return;
    }
    request.end();
  } catch (error) {
    if (!over.aborted) throw error;
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString('utf8');
}

/** The answer of a service of ours, or throws the problem that it tells. */
function read<T>(url: string, status: number, header: (name: string) => string | null, text: string): ApiAnswer<T> {
  const body = parse(text);
  if (status >= 200 && status < 300 && body !== undefined)
    return { status, body: body as T, position: header('Cool-Mint-Position') };
  const problem = (body ?? {}) as {
    code?: unknown;
    title?: unknown;
    detail?: unknown;
    errors?: unknown;
    requestId?: unknown;
  };
  if (typeof problem.title !== 'string') throw notOurs(url, status, header('Retry-After'));
  throw new ApiProblem({
    status,
    code: String(problem.code ?? 'unknown'),
    title: problem.title,
    detail: String(problem.detail ?? ''),
    errors: Array.isArray(problem.errors) ? (problem.errors as FieldError[]) : [],
    requestId: typeof problem.requestId === 'string' ? problem.requestId : null,
    retryAfter: secondsOf(header('Retry-After')),
  });
}

/** Something between us and the service answered, or another service altogether. */
function notOurs(url: string, status: number, retryAfter: string | null): CliError {
  if (status >= 502 && status <= 504)
    return new ApiProblem({
      status,
      code: 'gateway',
      title: 'The service is not reachable right now',
      detail: `${url} answers for it. Try again in a moment.`,
      errors: [],
      requestId: null,
      retryAfter: secondsOf(retryAfter),
    });
  return new CliError(
    `${url} answers (HTTP ${status}), but not as Cool Mint does. Check the address: MINT_URL is the origin, such as http://127.0.0.1:3000.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function secondsOf(header: string | null): number | null {
  const seconds = Number(header ?? Number.NaN);
  return header !== null && Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, name, message } = cause as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `no answer within ${longestAnswerMilliseconds / 1000} s`;
  return typeof code === 'string' ? code : message;
}
