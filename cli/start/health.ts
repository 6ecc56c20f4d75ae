/**
 * Whether a process lives, and whether it is ready. It lives while its loops tick, also while a server that it needs is
 * away: to start it anew would help nobody. It is ready when what it needs for its work is there.
 */
import type { Pool } from 'pg';
import type { RelayStatus } from '#projector/relay.ts';
import type { ProjectionStatus } from '#projector/run-projection.ts';
import type { EventLog } from '#shared/event-log/event-log.ts';
import type { Health } from '#shared/http/admin-app.ts';
import { limited } from '#shared/postgres/pool.ts';
import { atMost } from '#shared/runtime/at-most.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

/**
 * A loop that shows no sign of life for so long is dead. Those that move the views and the topic are meant: a rebuild may
 * stand for as long as one statement takes, and what only measures is seen by what it measured last.
 */
const deadAfterMilliseconds = 30_000;
/** A server that has not answered in this time is missing. */
const answerMilliseconds = 2_000;

export interface PhasedHealth {
  /** What a process says of itself from its first moment to its last. */
  readonly health: Health;
  /** Not yet there, and what it is at. */
  starting(step: string): void;
  working(health: Health): void;
  /** No longer there, though what is under way is brought to its end. */
  stopping(): void;
}

export function phasedHealth(): PhasedHealth {
  const not = (missing: string, starting: boolean): Health => ({
    dead: () => [],
    starting: () => starting,
    missing: async () => [missing],
  });
  let now = not('it is starting', true);
  return {
    health: { dead: () => now.dead(), starting: () => now.starting(), missing: () => now.missing() },
    starting: (step) => {
      now = not(`it is starting: ${step}`, true);
    },
    working: (health) => {
      now = health;
    },
    stopping: () => {
      now = not('it is stopping', false);
    },
  };
}

export interface HealthParts {
  readonly pool: Pool;
  /** Where it is on a server of its own, and the process cannot work without it. */
  readonly remoteLog: EventLog | null;
  readonly projections: ReadonlyMap<string, ProjectionStatus>;
  readonly relay: RelayStatus | null;
  readonly runtime: Runtime;
}

export function serviceHealth({ pool, remoteLog, projections, relay, runtime }: HealthParts): Health {
  const database = answers('the database', () => pool.query(limited('select 1', answerMilliseconds)), runtime);
  const eventLog = remoteLog ? answers('the event log', () => remoteLog.head(), runtime) : async () => [];
  const loops = () => [
    ...[...projections].map(([name, { tickedAt }]) => ({ name: `projection ${name}`, tickedAt })),
    ...(relay ? [{ name: 'relay', tickedAt: relay.tickedAt }] : []),
  ];
  return {
    dead: () =>
      loops()
        .filter(({ tickedAt }) => runtime.now().getTime() - tickedAt > deadAfterMilliseconds)
        .map(({ name }) => name),
    starting: () => [...projections.values()].some(({ state }) => state === 'starting'),
    missing: async () => [
      ...(await Promise.all([database(), eventLog()])).flat(),
      ...[...projections].flatMap(([name, status]) => projectionProblem(name, status)),
      ...(relay?.state === 'failing' ? [`relay is failing: ${relay.error}`] : []),
    ],
  };
}

function projectionProblem(name: string, { state, waitingFor }: ProjectionStatus): string[] {
  const reason = waitingFor ? ` (${waitingFor})` : '';
  if (state !== 'running' && state !== 'standing') return [`projection ${name} is ${state}${reason}`];
  return waitingFor ? [`projection ${name} receives nothing${reason}`] : [];
}

/** Whoever asks while one question is open waits for the same answer: a server that is away gets no heap of them. */
function answers(what: string, ask: () => Promise<unknown>, runtime: Runtime): () => Promise<string[]> {
  let asked: Promise<string[]> | null = null;
  return async () => {
    asked ??= ask()
      .then(
        () => [],
        () => [`${what} does not answer`],
      )
      .finally(() => {
        asked = null;
      });
    return atMost(runtime, answerMilliseconds, asked, [`${what} does not answer`]);
  };
}
