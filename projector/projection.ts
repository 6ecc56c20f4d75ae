/**
 * A projection: tables that are built by a pure function of events, with one checkpoint a slot. Tables that one query
 * joins belong to one projection. A changed version builds a new generation.
 */

import type { Change, Table } from '#projector/table.ts';
import type { StoredEvent } from '#shared/events/event.ts';
import type { ProjectionName } from '#shared/events/projection.ts';

/** What one noun contributes. `changes` does no I/O, reads no clock and draws no random number. */
export interface Fold {
  readonly tables: readonly Table[];
  changes(event: StoredEvent): readonly Change[];
}

export interface Projection {
  readonly name: ProjectionName;
  readonly version: number;
  readonly folds: readonly Fold[];
}

export const tablesOf = (projection: Projection): readonly Table[] => projection.folds.flatMap((fold) => fold.tables);

/** The schema that holds the tables of one generation. */
export const schemaOf = (projection: string, generation: number): string => `${projection}_g${generation}`;
