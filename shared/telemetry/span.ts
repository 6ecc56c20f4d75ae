/** Spans of our own: request, command, append, batch, query. No payload ever becomes an attribute. */
import {
  type Attributes,
  isSpanContextValid,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

const tracer = () => trace.getTracer('cool-mint');

/** Of one span; a batch may be of very many traces. */
const maxLinks = 32;

/** What a span of a batch has to do with: the traces of the requests that its events came from. */
function linksOf(traceparents: Iterable<string | null>): Link[] {
  const links: Link[] = [];
  for (const traceparent of new Set(traceparents)) {
    if (links.length === maxLinks) break;
    const [, traceId = '', spanId = '', flags = ''] =
      /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? [];
    const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
    if (isSpanContextValid(context)) links.push({ context });
  }
  return links;
}

export interface SpanOptions {
  /** Of the requests whose events the work is about: their traces are linked. */
  readonly traceparents?: Iterable<string | null>;
  readonly kind?: SpanKind;
}

/** Runs the work inside a span, which it ends; a rejection is recorded by its name only. */
export function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  { traceparents = [], kind = SpanKind.INTERNAL }: SpanOptions = {},
): Promise<T> {
  return tracer().startActiveSpan(name, { attributes, links: linksOf(traceparents), kind }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
      throw error;
    } finally {
      span.end();
    }
  });
}

export const traceparentsOf = (
  events: readonly { readonly metadata: { readonly traceparent: string | null } }[],
): (string | null)[] => events.map(({ metadata }) => metadata.traceparent);

/** Ids of the running span as lines of the log and exemplars carry them; empty where nothing is traced. */
export function traceIds(span: Span | undefined = trace.getActiveSpan()): { trace_id?: string; span_id?: string } {
  const context = span?.spanContext();
  return context && isSpanContextValid(context) ? { trace_id: context.traceId, span_id: context.spanId } : {};
}

/** The W3C traceparent of the running span, for metadata of events; null where nothing is traced. */
export function currentTraceparent(): string | null {
  const context = trace.getActiveSpan()?.spanContext();
  if (!context || !/[1-9a-f]/.test(context.traceId)) return null;
  return `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, '0')}`;
}
