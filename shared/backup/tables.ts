/**
 * Every table of the database, and what a backup does with it. A test holds this list against the live schema: a
 * migration that adds a table fails until it is decided here. The tables of generations are views, made by the projector.
 *
 * - `log`: goes in as events, through the port of the event log, wherever the log is.
 * - `rows`: stands nowhere else, so its rows go in.
 * - `remade`: follows from the log; a restore or the next start makes it.
 * - `own`: belongs to one installation, and would be wrong in another one.
 */
export type TableDecision =
  | { readonly kind: 'log' | 'remade' | 'own' }
  | {
      readonly kind: 'rows';
      /**
       * With the end of the log: its rows are those of the moment at which the log was cut, for they say what the log
       * is still to get. After the log was read: what the log tells of is in the table by then.
       */
      readonly read: 'with the end of the log' | 'after the log';
      /**
       * The column with the time of a row: where the log is restored only to a point in time, later rows are left out.
       * Null: then all rows are.
       */
      readonly time: string | null;
    };

export const tableDecisions: Readonly<Record<string, TableDecision>> = {
  'event_log.events': { kind: 'log' },
  // A log that is restored is another one: positions of the old one must not fit.
  'event_log.log': { kind: 'own' },
  // Personal data, kept out of events so that it can be erased. Written before the append.
  'command.request_origins': { kind: 'rows', read: 'after the log', time: 'at' },
  // Appends that were planned and not completed: repeating them is harmless, losing them leaves a selection half filled.
  // Of a point in time before the backup nobody knows them: a selection that was being filled then stays so, and says it.
  'command.planned_appends': { kind: 'rows', read: 'with the end of the log', time: null },
  'command.planned_events': { kind: 'rows', read: 'with the end of the log', time: null },
  // Epochs, open runs and watermarks all stand in the log (sync-sources.ts), and have to agree with it to the event: a
  // watermark of a run that the log lacks would make its records old news.
  'command.sync_leases': { kind: 'remade' },
  // The views, built by the projector.
  'projector.projections': { kind: 'remade' },
  'projector.generations': { kind: 'remade' },
  'projector.checkpoints': { kind: 'remade' },
  // How far one topic has got.
  'projector.relay': { kind: 'own' },
  // Who is building what at the moment.
  'projector.rebuild_leases': { kind: 'own' },
  // Whether a restore into this database was cut.
  'installation.restore': { kind: 'own' },
  // What was done to one database.
  'migration.applied': { kind: 'own' },
};

/** Schemas of generations: `catalog_g3`. */
export const isGeneration = (schema: string): boolean => /^[a-z]+_g\d+$/.test(schema);

export interface RowsTable extends Extract<TableDecision, { kind: 'rows' }> {
  readonly table: string;
}

/** In an order that foreign keys allow. */
export const rowsTables: readonly RowsTable[] = Object.entries(tableDecisions).flatMap(([table, decision]) =>
  decision.kind === 'rows' ? [{ table, ...decision }] : [],
);
