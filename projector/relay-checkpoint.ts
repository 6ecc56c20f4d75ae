/**
 * Stores the relay's checkpoint beside the sending, newest first: events need not wait for a commit of the database, and
 * a checkpoint that is behind only makes the next relay repeat records.
 */
import type { Pool } from 'pg';
import { moveRelay, type RelayState } from '#projector/relay-state.ts';

export interface BackgroundCheckpoint {
  /** What was acknowledged up to now; returns at once. */
  store(state: RelayState): void;
  /** Resolves when the last one is stored, or could not be. */
  stored(): Promise<void>;
}

/** `stop` is called with null where another epoch leads, or with what the database says instead of storing it. */
export function storeInBackground(pool: Pool, stop: (error: Error | null) => void): BackgroundCheckpoint {
  let next: RelayState | null = null;
  let storing: Promise<void> | null = null;

  async function storeAll(): Promise<void> {
    while (next) {
      const state = next;
      next = null;
      try {
        if (!(await moveRelay(pool, state))) stop(null);
      } catch (error) {
        stop(error as Error);
      }
    }
  }

  return {
    store(state) {
      next = state;
      storing ??= storeAll().finally(() => {
        storing = null;
      });
    },
    stored: async () => storing ?? undefined,
  };
}
