/**
 * Reading a projection, exactly as of a stated position. The live generation, the tenant's checkpoint and the rows are
 * read by one SQL statement, so by one snapshot; tables are named by the generation that is remembered, and where
 * another one turns out to be live the statement is made again. A demanded position is waited for before.
 */

import { Histogram } from 'prom-client';
import {
  createPool,
  type DatabasePool,
  type FragmentSqlToken,
  InvalidInputError,
  type QuerySqlToken,
  SlonikError,
  sql,
} from 'slonik';
import { z } from 'zod';
import type { Cache, LastChanged } from '#shared/cache/cache.ts';
import { type Position, reaches } from '#shared/event-log/position.ts';
import type { ProjectionName } from '#shared/events/projection.ts';
import { ProblemError, refuse } from '#shared/http/problem.ts';
import { watchPool } from '#shared/postgres/pool-metrics.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { registry } from '#shared/telemetry/registry.ts';
import { inSpan } from '#shared/telemetry/span.ts';
import { slotOf } from '#shared/transport/slot.ts';

export const asOf = z.object({
  position: z.string().describe('the answer reflects the log up to here'),
  time: z.iso.datetime().nullable().describe('of the newest event that it reflects'),
});
export type AsOf = z.infer<typeof asOf>;

/** A table of the generation that is read. */
export type TableOf = (table: string) => FragmentSqlToken;

export interface Demand {
  /** The answer must be as of this position or later. */
  readonly minPosition: Position | null;
  /** How long to wait for it, in milliseconds. */
  readonly waitMilliseconds: number;
}

export const noDemand: Demand = { minPosition: null, waitMilliseconds: 0 };

export interface ReadRequest<T> {
  readonly projection: ProjectionName;
  readonly tenant: string;
  readonly demand: Demand;
  /** A scalar expression of type json (a sub-select in parentheses). */
  readonly select: (table: TableOf) => FragmentSqlToken;
  readonly shape: z.ZodType<T>;
}

export interface ReadModel {
  read<T>(request: ReadRequest<T>): Promise<{ readonly asOf: AsOf; readonly data: T }>;
  /** Resolves when the tenant's slot of the projection has reached the demand; else throws the problem that says how far it is. */
  waitFor(projection: ProjectionName, tenant: string, demand: Demand): Promise<void>;
  /** Live generation and checkpoint of the tenant's slot, from the database; null where there is none yet. */
  checkpoint(projection: ProjectionName, tenant: string): Promise<LastChanged | null>;
  close(): Promise<void>;
}

const answerRow = z.object({
  generation: z.int(),
  position: z.string(),
  time: z.string().nullable(),
  data: z.unknown(),
});
/** Relation or schema is gone: the generation that was remembered was dropped. */
const goneCodes = new Set(['42P01', '3F000']);
const pollMilliseconds = 100;

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const querySeconds = new Histogram({
  name: 'cool_mint_query_duration_seconds',
  help: 'Time of a query of the read model in the database, without what it waited for before.',
  labelNames: ['projection'],
  buckets,
  registers: [registry],
});
const demandSeconds = new Histogram({
  name: 'cool_mint_query_demand_wait_seconds',
  help: 'Time for which queries waited until the view had reached the position that they demanded, by result (reached, behind).',
  labelNames: ['projection', 'result'],
  buckets,
  registers: [registry],
});

/** A read that takes longer is cut by the database. */
const statementMilliseconds = 30_000;

export async function connectReadModel(options: {
  readonly databaseUrl: string;
  /** A pooler answers there: it refuses limits that are asked for with a session, so each read asks for its own. */
  readonly pooled?: boolean;
  readonly cache: Cache;
  readonly runtime: Runtime;
  readonly poolSize?: number;
}): Promise<ReadModel> {
  const poolSize = options.poolSize ?? 8;
  const pool = await createPool(options.databaseUrl, {
    maxPoolSize: poolSize,
    statementTimeout: options.pooled ? 'DISABLE_TIMEOUT' : statementMilliseconds,
    idleInTransactionSessionTimeout: options.pooled ? 'DISABLE_TIMEOUT' : 60_000,
    captureStackTrace: false,
    // Connections hold no state between statements: there is nothing to reset.
    resetConnection: async () => undefined,
  });
  pool.on('error', () => undefined);
  watchPool({
    name: 'read-model',
    most: poolSize,
    state: () => {
      const { state, acquiredConnections, idleConnections, waitingClients } = pool.state();
      return state === 'ACTIVE'
        ? { active: acquiredConnections, idle: idleConnections, waiting: waitingClients }
        : null;
    },
  });
  return readModelOf(pool, options.pooled ?? false, options.cache, options.runtime);
}

function readModelOf(pool: DatabasePool, pooled: boolean, cache: Cache, runtime: Runtime): ReadModel {
  const remembered = new Map<string, number>();

  async function liveGeneration(projection: string): Promise<number> {
    const live = await pool
      .maybeOneFirst(
        sql.type(
          z.object({ live_generation: z.int() }),
        )`select live_generation from projector.projections where name = ${projection}`,
      )
      .catch((error: unknown) => {
        throw driverError(error);
      });
    if (live === null)
      throw new ProblemError(refuse('view-behind', `The view "${projection}" is not built yet.`, { retryAfter: 1 }));
    remembered.set(projection, live);
    return live;
  }

  function statement(
    projection: string,
    generation: number,
    tenant: string,
    select: (table: TableOf) => FragmentSqlToken,
  ): QuerySqlToken<typeof answerRow> {
    const table: TableOf = (name) => sql.fragment`${sql.identifier([`${projection}_g${generation}`, name])}`;
    return sql.type(answerRow)`
      select live.generation, live.position,
             to_char(live.time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time,
             ${select(table)} as data
      from (
        select p.live_generation as generation, c.position, c.time
        from projector.projections p
          join projector.checkpoints c on c.projection = p.name and c.generation = p.live_generation
        where p.name = ${projection} and c.slot = ${slotOf(tenant)}
      ) live`;
  }

  /** One statement is one snapshot, in a transaction or not. */
  function limitedOne(query: QuerySqlToken<typeof answerRow>): Promise<z.infer<typeof answerRow>> {
    if (!pooled) return pool.one(query);
    return pool.transaction(async (transaction) => {
      await transaction.query(
        sql.unsafe`select set_config('statement_timeout', ${String(statementMilliseconds)}, true)`,
      );
      return transaction.one(query);
    });
  }

  async function read<T>({ projection, tenant, demand, select, shape }: ReadRequest<T>) {
    await waitFor(projection, tenant, demand);
    const ended = querySeconds.startTimer({ projection });
    return inSpan('read model query', { 'projection.name': projection }, async () => {
      let generation = remembered.get(projection) ?? (await liveGeneration(projection));
      for (let attempt = 0; ; attempt++) {
        try {
          const row = await limitedOne(statement(projection, generation, tenant, select));
          if (row.generation !== generation) {
            generation = row.generation;
            remembered.set(projection, generation);
          } else if (demand.minPosition !== null && row.position < demand.minPosition)
            // The cache knows more than this database, which was restored or is behind: only the database counts.
            await waitFor(projection, tenant, demand, 'database');
          else return { asOf: { position: row.position, time: row.time }, data: shape.parse(row.data) };
        } catch (error) {
          if (attempt >= 5 || !goneCodes.has(sqlState(error))) throw driverError(error);
          generation = await liveGeneration(projection);
        }
      }
    }).finally(ended);
  }

  async function checkpoint(projection: ProjectionName, tenant: string): Promise<LastChanged | null> {
    return pool
      .maybeOne(
        sql.type(z.object({ generation: z.int(), position: z.string() }))`
        select c.generation, c.position from projector.projections p
          join projector.checkpoints c on c.projection = p.name and c.generation = p.live_generation
        where p.name = ${projection} and c.slot = ${slotOf(tenant)}`,
      )
      .catch((error: unknown) => {
        throw driverError(error);
      });
  }

  async function waitFor(
    projection: ProjectionName,
    tenant: string,
    { minPosition, waitMilliseconds }: Demand,
    trusted: 'cache' | 'database' = 'cache',
  ): Promise<void> {
    if (minPosition === null) return;
    const ended = demandSeconds.startTimer({ projection });
    try {
      await waitUntil(projection, tenant, minPosition, waitMilliseconds, trusted);
      ended({ result: 'reached' });
    } catch (error) {
      if (error instanceof ProblemError) ended({ result: 'behind' });
      throw error;
    }
  }

  async function waitUntil(
    projection: ProjectionName,
    tenant: string,
    minPosition: Position,
    waitMilliseconds: number,
    trusted: 'cache' | 'database',
  ): Promise<void> {
    const slot = slotOf(tenant);
    const until = runtime.now().getTime() + waitMilliseconds;
    for (;;) {
      const known = trusted === 'cache' ? await cache.reached(projection, slot) : null;
      if (known !== null && reaches(known, minPosition)) return;
      // Listening begins before the database is asked, so no publication is missed between.
      const stop = new AbortController();
      const published = cache.published(projection, stop.signal);
      try {
        const stored = (await checkpoint(projection, tenant))?.position ?? null;
        if (stored !== null && reaches(stored, minPosition)) return;
        const left = until - runtime.now().getTime();
        if (left <= 0) throw await behind(projection, stored, minPosition);
        await Promise.race([published, runtime.sleep(Math.min(left, pollMilliseconds), stop.signal)]);
      } finally {
        stop.abort();
      }
    }
  }

  async function behind(projection: string, reached: Position | null, demanded: Position): Promise<ProblemError> {
    const building = await pool.maybeOneFirst(
      sql.type(z.object({ building: z.int() }))`
        select b.generation as building from projector.projections p
          join projector.generations l on l.projection = p.name and l.generation = p.live_generation
          join projector.generations b on b.projection = p.name and b.state = 'building' and b.version <> l.version
        where p.name = ${projection} limit 1`,
    );
    const how = `"${projection}" is as of ${reached ?? 'the start'}, asked for was ${demanded}.`;
    return new ProblemError(
      building === null
        ? refuse('view-behind', `${how} Ask again, or wait longer with "Prefer: wait=<seconds>" (at most 30).`, {
            retryAfter: 1,
          })
        : refuse(
            'view-rebuilding',
            `${how} Its generation ${building} is being built for a new version; see /api/v1/projections.`,
            { retryAfter: 5 },
          ),
    );
  }

  return { read, waitFor, checkpoint, close: () => pool.end() };
}

const sqlState = (error: unknown): string => {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'string') return code;
  }
  return '';
};

/** What the driver itself said, whose code (or message, where the connection broke) tells what to do; slonik wraps it. */
function driverError(error: unknown): unknown {
  // Of this one slonik keeps the message only; it is always 22P02, a text that is not of its type.
  if (error instanceof InvalidInputError) return Object.assign(new Error(error.message), { code: '22P02' });
  let cause = error;
  while (cause instanceof SlonikError && cause.cause instanceof Error) cause = cause.cause;
  return cause;
}
