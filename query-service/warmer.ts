/**
 * Answers that are asked for again and again are computed anew as soon as a projector says that something changed, so
 * that not the next caller has to wait for it. The projectors say it; what callers ask is known here.
 *
 * A question is kept ready while it was asked at least twice in half a minute, and made ready at most once a second: a
 * tenant that changes all the time costs no more than one that is asked once a second.
 */
import { LRUCache } from 'lru-cache';
import { Counter } from 'prom-client';
import type { Cache } from '#shared/cache/cache.ts';
import type { ProjectionName } from '#shared/events/projection.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { registry } from '#shared/telemetry/registry.ts';

const warmed = new Counter({
  name: 'cool_mint_cache_warmed_total',
  help: 'Answers computed before they were asked for, because they are asked for often.',
  labelNames: ['projection'],
  registers: [registry],
});

/** Questions remembered; the least recently asked go first. */
const most = 200;
const hotMilliseconds = 30_000;
const againMilliseconds = 1_000;

/** Given the key of an answer that is there, answers that of the one that now is; null where there is none to be had. */
export type MakeReady = (known: string) => Promise<string | null>;

export interface Warmer {
  /** A question was asked, and its answer is in the cache under the key. */
  asked(projection: ProjectionName, question: string, key: string, makeReady: MakeReady): void;
  stop(): Promise<void>;
}

interface Question {
  readonly projection: ProjectionName;
  /** When it was asked last, and the time before that; in milliseconds. */
  askedAt: number;
  askedBefore: number;
  readyAt: number;
  /** The key of the last answer that is known to be in the cache. */
  key: string;
  makeReady: MakeReady;
}

export interface WarmerParts {
  readonly cache: Pick<Cache, 'published'>;
  readonly runtime: Runtime;
  /** Of these projections answers are kept ready. */
  readonly projections: readonly ProjectionName[];
}

export function startWarmer({ cache, runtime, projections }: WarmerParts): Warmer {
  const questions = new LRUCache<string, Question>({ max: most });
  const stop = new AbortController();
  const now = () => runtime.now().getTime();

  /** Those that callers wait for, and that may have changed. */
  const due = (projection: ProjectionName) =>
    [...questions.values()].filter(
      (one) =>
        one.projection === projection &&
        one.askedBefore > now() - hotMilliseconds &&
        one.readyAt <= now() - againMilliseconds,
    );

  async function keepReady(projection: ProjectionName): Promise<void> {
    while (!stop.signal.aborted) {
      // Listening begins before the work: what is published meanwhile is seen to afterwards.
      const published = cache.published(projection, stop.signal);
      for (const question of due(projection)) {
        if (stop.signal.aborted) return;
        question.readyAt = now();
        // Whoever asks is told what goes wrong; nobody waits here.
        const key = await question.makeReady(question.key).catch(() => null);
        if (key === null || key === question.key) continue;
        question.key = key;
        warmed.inc({ projection });
      }
      await published;
      // More than one is published for a burst, and one answer serves it.
      await runtime.sleep(againMilliseconds / 4, stop.signal);
    }
  }

  for (const projection of projections) warmed.inc({ projection }, 0);
  const loops = projections.map(keepReady);
  return {
    asked(projection, name, key, makeReady) {
      const known = questions.get(name);
      const askedBefore = known?.askedAt ?? 0;
      questions.set(name, { projection, askedAt: now(), askedBefore, readyAt: now(), key, makeReady });
    },
    async stop() {
      stop.abort();
      await Promise.all(loops);
    },
  };
}
