/** Which events of $all a reader asked for. */
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { epochStream, type StoredEvent } from './stored-event.ts';

/** A filter, and how the server counts on its behalf. */
export interface AllFilter {
  accepts(event: StoredEvent): boolean;
  /** Events that the server looks at before it ends a page, whether they match or not. */
  readonly window: number;
  /** Events looked at between two checkpoints; none without a filter. */
  readonly checkpointInterval: number;
}

/** Events of a page, and the window where the client named none. */
export const pageSize = 32;

/** Everything but the server's own notes about its starts, which no reader of $all gets to see. */
export const noFilter: AllFilter = {
  accepts: ({ stream }) => stream !== epochStream,
  window: pageSize,
  checkpointInterval: Number.POSITIVE_INFINITY,
};

/** Understands a request's filter: by name of stream or type of event, by prefixes or by a regular expression. */
export function filterOf(options: ReadReq.Options): AllFilter {
  const filter = options.getFilter();
  if (!filter) return noFilter;
  const byType = filter.hasEventType();
  const matches = matcherOf(byType ? filter.getEventType() : filter.getStreamIdentifier());
  const window = filter.hasMax() ? filter.getMax() : pageSize;
  return {
    accepts: (event) => noFilter.accepts(event) && matches(byType ? event.type : event.stream),
    window,
    checkpointInterval: window * filter.getCheckpointintervalmultiplier(),
  };
}

function matcherOf(expression: ReadReq.Options.FilterOptions.Expression | undefined): (text: string) => boolean {
  const source = expression?.getRegex() ?? '';
  if (source !== '') {
    const regex = new RegExp(source);
    return (text) => regex.test(text);
  }
  const prefixes = expression?.getPrefixList() ?? [];
  return (text) => prefixes.some((prefix) => text.startsWith(prefix));
}
