/**
 * What every read model must hold, one event after another in the plainest code there is. Written from what the events
 * say and what the tables are for; it shares nothing with the folds, so that one mistake cannot stand in both.
 */
import type { RecordedEvent } from '#shared/event-log/event-log.ts';
import type { StoredEvent } from '#shared/events/event.ts';

export type OracleRow = Record<string, unknown>;

/** Rows by the text of their key. */
type OracleTable = Map<string, OracleRow>;

const keysOf = {
  'catalog.activities': ['tenant', 'id'],
  'catalog.activity_versions': ['tenant', 'id', 'revision'],
  'catalog.related_records': ['tenant', 'source', 'source_id'],
  'catalog.selections': ['tenant', 'id'],
  'catalog.selection_items': ['tenant', 'selection_id', 'activity_id'],
  'audit.audit_entries': ['tenant', 'position'],
  'operations.sync_runs': ['tenant', 'id'],
  'operations.sync_rejects': ['tenant', 'run', 'part', 'batch', 'number'],
  'operations.rebuilds': ['tenant', 'id'],
} as const;

export type OracleTableName = keyof typeof keysOf;

export const oracleTables = Object.keys(keysOf) as OracleTableName[];

/** Postgres has no NUL in text: U+FFFD is shown in its place. */
function shown<T extends string | null>(text: T): T {
  return (text === null ? null : text.split('\u0000').join('\ufffd')) as T;
}

/** What followed from a decision rather than being one. */
const followed = [
  'ActivityRecorded',
  'ActivityRevised',
  'ActivityDeleted',
  'ActivityRestored',
  'RelatedRecordAdded',
  'RelatedRecordRevised',
  'RelatedRecordDeleted',
  'SyncBatchApplied',
  'SyncCompleted',
  'SyncFailed',
  'RebuildFinished',
  'GenerationSwapped',
];

export class Oracle {
  readonly tables = new Map<OracleTableName, OracleTable>(oracleTables.map((name) => [name, new Map()]));

  /** The rows of a table (those of one tenant, where it is given) in the order of its key. */
  rows(name: OracleTableName, tenant?: string): OracleRow[] {
    const keys = keysOf[name];
    const before = (a: OracleRow, b: OracleRow): number => {
      for (const key of keys) {
        const [x, y] = [a[key] as string | number, b[key] as string | number];
        if (x !== y) return x < y ? -1 : 1;
      }
      return 0;
    };
    const rows = [...(this.tables.get(name) as OracleTable).values()];
    return (tenant === undefined ? rows : rows.filter((row) => row['tenant'] === tenant)).sort(before);
  }

  find(name: OracleTableName, ...key: (string | number)[]): OracleRow | undefined {
    return this.tables.get(name)?.get(JSON.stringify(key));
  }

  private put(name: OracleTableName, row: OracleRow): void {
    this.tables.get(name)?.set(JSON.stringify(keysOf[name].map((key) => row[key])), row);
  }

  private must(name: OracleTableName, ...key: (string | number)[]): OracleRow {
    const row = this.find(name, ...key);
    if (!row) throw new Error(`the log tells of ${name} ${key.join(' ')} before it was made`);
    return row;
  }

  apply(recorded: RecordedEvent): void {
    const event = recorded as RecordedEvent & StoredEvent;
    const { tenant, recordedAt } = event.metadata;
    const dash = event.stream.indexOf('-');
    const category = event.stream.slice(0, dash);
    const id = event.stream.slice(dash + 1);
    this.applyAudit(event, category, id);
    if (category === 'activity') this.applyActivity(event, id);
    if (category === 'related') this.applyRelated(event, id);
    if (category === 'selection') {
      this.applySelection(event, id);
      Object.assign(this.must('catalog.selections', tenant, id), {
        revision: event.revision,
        changed_at: recordedAt,
        position: event.position,
      });
    }
    if (category === 'syncrun') {
      this.applySyncRun(event, id);
      Object.assign(this.must('operations.sync_runs', tenant, id), {
        revision: event.revision,
        changed_at: recordedAt,
        position: event.position,
      });
    }
    if (category === 'projection') this.applyRebuild(event);
  }

  private applyActivity(event: StoredEvent, id: string): void {
    if (
      event.type !== 'ActivityRecorded' &&
      event.type !== 'ActivityRevised' &&
      event.type !== 'ActivityDeleted' &&
      event.type !== 'ActivityRestored'
    )
      throw new Error(`${event.type} in ${event.stream}`);
    const { data, metadata, revision, position } = event;
    const { tenant, recordedAt } = metadata;
    const known = this.find('catalog.activities', tenant, id);
    const last = known ? (known['revision'] as number) : -1;
    if (revision !== last + 1) throw new Error(`${event.stream} goes from revision ${last} to ${revision}`);
    this.put('catalog.activities', {
      tenant,
      id,
      revision,
      source: data.source,
      source_id: data.sourceId,
      object: data.object,
      kind: data.derived.kind,
      status: shown(data.status),
      is_closed: data.derived.isClosed,
      priority: shown(data.priority),
      direction: data.derived.direction,
      outcome: shown(data.derived.outcome),
      duration_seconds: data.durationSeconds,
      occurred_at: data.derived.occurredAt,
      due_on: data.dueOn,
      owner_id: data.ownerId,
      account_id: data.accountId,
      who_id: data.whoId,
      what_id: data.whatId,
      subject: shown(data.personal.subject),
      body: shown(data.personal.body),
      names: Object.fromEntries(Object.entries(data.personal.names).map(([role, name]) => [role, shown(name)])),
      deleted: event.type === 'ActivityDeleted',
      content_hash: data.contentHash,
      source_modified_at: data.sourceModifiedAt,
      recorded_at: known ? known['recorded_at'] : recordedAt,
      changed_at: recordedAt,
      position,
    });
    this.put('catalog.activity_versions', {
      tenant,
      id,
      revision,
      type: event.type,
      snapshot: data,
      recorded_at: recordedAt,
      actor: metadata.actor,
      correlation_id: metadata.correlationId,
      sync_run: metadata.sync ? metadata.sync.run : null,
      position,
    });
  }

  private applyRelated(event: StoredEvent, id: string): void {
    if (
      event.type !== 'RelatedRecordAdded' &&
      event.type !== 'RelatedRecordRevised' &&
      event.type !== 'RelatedRecordDeleted'
    )
      throw new Error(`${event.type} in ${event.stream}`);
    const { data, metadata } = event;
    this.put('catalog.related_records', {
      tenant: metadata.tenant,
      source: data.source,
      source_id: data.sourceId,
      id,
      revision: event.revision,
      type: data.type,
      name: shown(data.personal.name),
      email: shown(data.personal.email),
      account_id: data.accountId,
      contact_id: data.contactId,
      manager_id: data.managerId,
      team_id: data.teamId,
      deleted: event.type === 'RelatedRecordDeleted',
      content_hash: data.contentHash,
      source_modified_at: data.sourceModifiedAt,
      changed_at: metadata.recordedAt,
      position: event.position,
    });
  }

  private applySelection(event: StoredEvent, id: string): void {
    const { tenant, recordedAt, actor } = event.metadata;
    if (event.type === 'SelectionOpened') {
      this.put('catalog.selections', {
        tenant,
        id,
        revision: event.revision,
        name: shown(event.data.name),
        purpose: shown(event.data.purpose),
        status: 'open',
        filling: false,
        copied_from: event.data.copiedFrom,
        filter: event.data.filter,
        digest: null,
        frozen_count: null,
        frozen_at: null,
        opened_by: actor,
        opened_at: recordedAt,
        changed_at: recordedAt,
        exports: 0,
        shares: 0,
        position: event.position,
      });
      return;
    }
    const selection = this.must('catalog.selections', tenant, id);
    if (event.type === 'ActivitiesSelected') {
      selection['filling'] = event.data.part !== event.data.of;
      for (const item of event.data.items)
        this.put('catalog.selection_items', {
          tenant,
          selection_id: id,
          activity_id: item.activityId,
          revision: item.revision,
          content_hash: item.contentHash,
          selected_at: recordedAt,
          removed_at: null,
        });
    }
    if (event.type === 'ActivitiesDeselected') {
      selection['filling'] = event.data.part !== event.data.of;
      for (const activity of event.data.activityIds)
        this.must('catalog.selection_items', tenant, id, activity)['removed_at'] = recordedAt;
    }
    if (event.type === 'SelectionRenamed') selection['name'] = shown(event.data.name);
    if (event.type === 'SelectionPurposeChanged') selection['purpose'] = shown(event.data.purpose);
    if (event.type === 'SelectionFrozen') {
      selection['status'] = 'frozen';
      selection['digest'] = event.data.digest;
      selection['frozen_count'] = event.data.count;
      selection['frozen_at'] = recordedAt;
    }
    if (event.type === 'SelectionDiscarded') {
      selection['status'] = 'discarded';
      selection['filling'] = false;
    }
    if (event.type === 'SelectionReopened') selection['status'] = 'open';
    if (event.type === 'SelectionExported') selection['exports'] = (selection['exports'] as number) + 1;
    if (event.type === 'SelectionShared') selection['shares'] = (selection['shares'] as number) + 1;
  }

  private applySyncRun(event: StoredEvent, id: string): void {
    const { tenant, recordedAt } = event.metadata;
    if (event.type === 'SyncStarted') {
      const { data } = event;
      this.put('operations.sync_runs', {
        tenant,
        id,
        revision: event.revision,
        source: data.source,
        channel: data.channel,
        mode: data.mode,
        status: 'running',
        epoch: data.epoch,
        mapping: data.mapping,
        parts: data.parts,
        requested_by: data.requestedBy,
        received: 0,
        recorded: 0,
        revised: 0,
        unchanged: 0,
        stale: 0,
        deleted: 0,
        rejected: 0,
        batches: 0,
        watermark: null,
        error: null,
        started_at: recordedAt,
        changed_at: recordedAt,
        ended_at: null,
        position: event.position,
      });
      return;
    }
    const run = this.must('operations.sync_runs', tenant, id);
    if (event.type === 'SyncBatchApplied') {
      const { data } = event;
      for (const count of ['received', 'recorded', 'revised', 'unchanged', 'stale', 'deleted', 'rejected'] as const)
        run[count] = (run[count] as number) + data[count];
      run['batches'] = (run['batches'] as number) + 1;
      data.rejects.forEach((reject, number) => {
        this.put('operations.sync_rejects', {
          tenant,
          run: id,
          part: data.part,
          batch: data.batch,
          number,
          line: reject.line,
          source_id: shown(reject.sourceId),
          reason: shown(reject.reason),
        });
      });
      return;
    }
    run['ended_at'] = recordedAt;
    if (event.type === 'SyncCompleted') Object.assign(run, { status: 'completed', watermark: event.data.watermark });
    if (event.type === 'SyncFailed') Object.assign(run, { status: 'failed', error: shown(event.data.error) });
    if (event.type === 'SyncCancelled') Object.assign(run, { status: 'cancelled', error: shown(event.data.reason) });
  }

  private applyRebuild(event: StoredEvent): void {
    const { tenant, recordedAt, actor } = event.metadata;
    if (event.type === 'RebuildStarted')
      this.put('operations.rebuilds', {
        tenant,
        id: event.data.rebuildId,
        projection: event.data.projection,
        status: 'running',
        reason: shown(event.data.reason),
        requested_by: actor,
        from_generation: null,
        to_generation: null,
        events: null,
        seconds: null,
        error: null,
        started_at: recordedAt,
        ended_at: null,
        position: event.position,
      });
    if (event.type === 'GenerationSwapped')
      Object.assign(this.must('operations.rebuilds', tenant, event.data.rebuildId), {
        from_generation: event.data.from,
        to_generation: event.data.to,
        position: event.position,
      });
    if (event.type === 'RebuildFinished')
      Object.assign(this.must('operations.rebuilds', tenant, event.data.rebuildId), {
        status: event.data.outcome,
        events: event.data.events,
        seconds: String(event.data.seconds),
        error: shown(event.data.error),
        ended_at: recordedAt,
        position: event.position,
      });
  }

  private applyAudit(event: StoredEvent, category: string, id: string): void {
    const { metadata } = event;
    let summary: object = event.data;
    let items: object[] | null = null;
    if (category === 'activity' && 'derived' in event.data)
      summary = { kind: event.data.derived.kind, source: event.data.source, contentHash: event.data.contentHash };
    if (category === 'related' && 'type' in event.data) summary = { type: event.data.type, source: event.data.source };
    if (event.type === 'SyncBatchApplied') {
      const told: OracleRow = { ...event.data };
      delete told['rejects'];
      summary = told;
    }
    if (event.type === 'ActivitiesSelected') {
      const told: OracleRow = { ...event.data, count: event.data.items.length };
      delete told['items'];
      summary = told;
      items = event.data.items;
    }
    if (event.type === 'ActivitiesDeselected') {
      const told: OracleRow = { ...event.data, count: event.data.activityIds.length };
      delete told['activityIds'];
      summary = told;
      items = event.data.activityIds.map((activityId) => ({ activityId }));
    }
    if (event.type === 'SelectionShared') {
      const { model, digest, personal } = event.data;
      summary = { model, digest, recipient: personal.recipient, note: personal.note };
    }
    this.put('audit.audit_entries', {
      tenant: metadata.tenant,
      position: event.position,
      event_id: event.id,
      type: event.type,
      category,
      entity_id: id,
      stream: event.stream,
      revision: event.revision,
      recorded_at: metadata.recordedAt,
      actor: metadata.actor,
      correlation_id: metadata.correlationId,
      command_id: metadata.commandId,
      sync_run: metadata.sync ? metadata.sync.run : null,
      decision: !followed.includes(event.type),
      summary,
      items,
    });
  }
}
