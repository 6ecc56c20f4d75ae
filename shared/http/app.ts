/**
 * The HTTP side that all services share: schemas from zod, problems, tokens, permissions, spans, metrics. Closed by
 * default: a route that names neither a permission nor that it is public cannot be added. Opens no port.
 */
import { randomUUID } from 'node:crypto';
import { context, propagation, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
  type RouteOptions,
} from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { Counter, Gauge, Histogram } from 'prom-client';
import { z } from 'zod';
import type { Caller, Permission } from '#shared/access/permissions.ts';
import { KeysUnavailable, type VerifyToken } from '#shared/access/verify-token.ts';
import { LogUnavailable } from '#shared/event-log/event-log.ts';
import { ProblemError, problemKinds, problemOf, type Refusal, refuse } from '#shared/http/problem.ts';
import { isTransient } from '#shared/postgres/transient-error.ts';
import { registry } from '#shared/telemetry/registry.ts';
import { traceIds } from '#shared/telemetry/span.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the token must allow. */
    permission?: Permission;
    /** Anybody may call it; said route by route. */
    public?: true;
  }
  interface FastifyRequest {
    /** Who calls; never read on a public route. */
    caller: Caller;
  }
}

export type App = FastifyInstance<
  import('http').Server,
  import('http').IncomingMessage,
  import('http').ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

const requestSeconds = new Histogram({
  name: 'cool_mint_http_request_duration_seconds',
  help: 'Time from request to the end of the answer, by pattern of the route; exemplars name the trace.',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  enableExemplars: true,
  registers: [registry],
});
const requestsUnderWay = new Gauge({
  name: 'cool_mint_http_requests_under_way',
  help: 'Requests that are not answered to their end yet.',
  registers: [registry],
});
const problems = new Counter({
  name: 'cool_mint_http_problems_total',
  help: 'Requests that were answered with a problem, by its code.',
  labelNames: ['code'],
  registers: [registry],
});

/** JSON bodies: 10,000 ids with revisions stay below it. Streamed parts of sync runs have no limit. */
const bodyLimit = 2 * 1024 * 1024;

/** An address, and what may be done there. */
export type KnownRoute = Pick<RouteOptions, 'method' | 'url'>;

export interface AppOptions {
  readonly verifyToken: VerifyToken;
  readonly logger: FastifyBaseLogger;
  /** Addresses or networks of gateways: whom they name in X-Forwarded-For is who calls. None where it is absent. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** The whole interface, of which this app may be a part: what is asked with a wrong method is told the right ones. */
  readonly interfaceRoutes?: readonly KnownRoute[];
}

export function createApp(options: AppOptions): App {
  const app = fastify({
    loggerInstance: options.logger,
    trustProxy: options.trustedProxies ? [...options.trustedProxies] : false,
    // Requests are told by the hook below, without query strings.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  // Checked when all is added: a plugin's own routes are marked by the scope that registers it, after this hook.
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
    // A parameter that a route does not have is refused everywhere: it would be answered as if nothing had been asked.
    if (route.config?.permission && route.schema && !route.schema.querystring)
      route.schema = { ...route.schema, querystring: z.strictObject({}) };
  });
  app.addHook('onReady', async () => {
    const open = routes.filter(({ config }) => !config?.permission && !config?.public);
    if (open.length > 0)
      throw new Error(
        `routes that name no permission and are not marked public: ${open.map(({ method, url }) => `${method} ${url}`).join(', ')}`,
      );
  });
  app.decorateRequest('caller');
  // Else JSON that is sent as text would be taken for a text.
  app.removeContentTypeParser('text/plain');
  addTracing(app);
  addAccess(app, options.verifyToken);
  addErrors(app, options.interfaceRoutes ?? routes);
  addClosing(app);
  return app;
}

/** A connection that was busy when closing began is kept alive after its answer, and would hold the stop for 72 seconds. */
function addClosing(app: App): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onResponse', async () => {
    if (closing) setImmediate(() => app.server.closeIdleConnections());
  });
}

function addTracing(app: App): void {
  const spans = new WeakMap<FastifyRequest, import('@opentelemetry/api').Span>();
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-Id', request.id);
    requestsUnderWay.inc();
    // Also where the caller went away; then nothing else is told of the end.
    reply.raw.once('close', () => requestsUnderWay.dec());
    const parent = propagation.extract(context.active(), request.headers);
    const route = request.routeOptions.url ?? 'unknown';
    const span = trace.getTracer('cool-mint').startSpan(
      `${request.method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': request.method,
          'http.route': route,
          'cool_mint.request_id': request.id,
        },
      },
      parent,
    );
    spans.set(request, span);
    context.with(trace.setSpan(parent, span), done);
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const span = spans.get(request);
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
    const sampled = span !== undefined && (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
    requestSeconds.observe({
      labels: { method: request.method, route, status: reply.statusCode },
      value: reply.elapsedTime / 1000,
      // The client's types take the labels of an exemplar for those of the metric.
      ...(sampled ? { exemplarLabels: traceIds(span) as object } : {}),
    });
    request.log[reply.statusCode >= 500 ? 'error' : 'debug'](
      {
        method: request.method,
        route,
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime),
        ...traceIds(span),
      },
      'request',
    );
  });
}

function addAccess(app: App, verifyToken: VerifyToken): void {
  app.addHook('onRequest', async (request, reply) => {
    const { permission, public: open } = request.routeOptions.config;
    if (open || request.is404) return;
    const token = /^Bearer ([\w.-]{1,8192})$/.exec(request.headers.authorization ?? '')?.[1];
    const refuseToken = (detail: string): never => {
      reply.header('WWW-Authenticate', 'Bearer');
      throw new ProblemError(refuse('not-authenticated', detail));
    };
    if (!token)
      return refuseToken('Send "Authorization: Bearer <token>"; on one machine npx cool-mint token prints one.');
    try {
      request.caller = await verifyToken(token);
    } catch (error) {
      if (error instanceof KeysUnavailable)
        throw new ProblemError(
          refuse('keys-unavailable', 'The identity provider does not answer. Try again in a moment.', {
            retryAfter: 2,
          }),
        );
      return refuseToken(
        `The token is not accepted: ${(error as Error).message}. Get a new one; on one machine: npx cool-mint token.`,
      );
    }
    if (!permission || !request.caller.permissions.has(permission))
      throw new ProblemError(refuse('not-permitted', `This needs the permission "${permission}".`));
  });
}

/** The methods of the routes whose pattern fits a path. */
function methodsAt(routes: readonly KnownRoute[], path: string): string[] {
  const segments = path.split('/');
  const fits = (pattern: readonly string[]) =>
    pattern.length === segments.length && pattern.every((part, at) => part.startsWith(':') || part === segments[at]);
  return [...new Set(routes.filter(({ url }) => fits(url.split('/'))).flatMap(({ method }) => method))];
}

function addErrors(app: App, routes: readonly KnownRoute[]): void {
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsAt(routes, request.url.split('?')[0] as string);
    problems.inc({ code: methods.length > 0 ? 'method-not-allowed' : 'not-found' });
    if (methods.length > 0) reply.header('Allow', methods.join(', '));
    const refusal = refuse(
      methods.length > 0 ? 'method-not-allowed' : 'not-found',
      `There is no ${request.method} ${request.url.split('?')[0]}. The interface is described at /api/docs.`,
    );
    return reply
      .status(problemKinds[refusal.code].status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(refusal, request.id)));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error);
    problems.inc({ code: refusal.code });
    if (refusal.code === 'internal-error')
      request.log.error({ err: { name: error.name, message: error.message, stack: error.stack } }, 'a request failed');
    if (refusal.retryAfter !== undefined) reply.header('Retry-After', String(refusal.retryAfter));
    return reply
      .status(problemKinds[refusal.code].status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(refusal, request.id)));
  });
}

function refusalOf(error: FastifyError): Refusal {
  if (error instanceof ProblemError) return error.refusal;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map((issue) => ({
      field: [error.validationContext, ...issue.instancePath.split('/').filter(Boolean)].join('.'),
      message: issue.message ?? 'is not valid',
    }));
    const code = error.validationContext === 'body' ? 'invalid-content' : 'malformed-request';
    return refuse(code, `Correct ${errors.map(({ field }) => field).join(', ')} and send it again.`, { errors });
  }
  if (error instanceof LogUnavailable)
    return refuse(
      'log-unavailable',
      'Whether it was recorded is unknown. Send it again unchanged, with the same Idempotency-Key.',
      { retryAfter: 2 },
    );
  if (isTransient(error)) return refuse('database-unavailable', 'Try again in a moment.', { retryAfter: 2 });
  // A value that Postgres cannot read as its type: of a cursor that somebody made up.
  if (error.code?.startsWith('22') && error.statusCode === undefined)
    return refuse('malformed-request', 'A value in the request is not of its type.');
  if (error.statusCode === 413) return refuse('too-large', `A body may have ${bodyLimit} bytes.`);
  if (error.statusCode === 415) return refuse('malformed-request', 'Send JSON, with "Content-Type: application/json".');
  if (error.statusCode !== undefined && error.statusCode < 500) return refuse('malformed-request', error.message);
  return refuse('internal-error', 'Nothing more is known to you; the log has it under the request id.');
}
