/** What queries must answer, asked of the oracle's rows in plain loops. Text is searched by whole words only. */
import type { ActivitySnapshot } from '#shared/events/activity.ts';
import type { Oracle, OracleRow } from './oracle.ts';

export interface Filter {
  readonly [field: string]: unknown;
}
interface Range {
  readonly gte?: string;
  readonly gt?: string;
  readonly lte?: string;
  readonly lt?: string;
  readonly null?: boolean;
}

const textOf = (value: unknown) => value as string | null;

export function oracleQueries(oracle: Oracle) {
  const related = (activity: OracleRow, id: unknown): OracleRow | undefined =>
    id === null
      ? undefined
      : oracle.find('catalog.related_records', textOf(activity['tenant'])!, textOf(activity['source'])!, textOf(id)!);

  /** Its own, else that of what it is about, else that of its contact. */
  function accountOf(activity: OracleRow): string | null {
    if (activity['account_id'] !== null) return textOf(activity['account_id']);
    const what = related(activity, activity['what_id']);
    if (what?.['type'] === 'account') return textOf(what['source_id']);
    if ((what?.['type'] === 'opportunity' || what?.['type'] === 'case') && what['account_id'] !== null)
      return textOf(what['account_id']);
    return textOf(related(activity, activity['who_id'])?.['account_id'] ?? null);
  }

  const itemsOf = (tenant: string): OracleRow[] =>
    oracle.rows('catalog.selection_items', tenant).filter((item) => item['removed_at'] === null);

  function within(value: string | null, range: Range): boolean {
    if (range.null !== undefined && (value === null) !== range.null) return false;
    if (range.gte === undefined && range.gt === undefined && range.lte === undefined && range.lt === undefined)
      return true;
    if (value === null) return false;
    return (
      (range.gte === undefined || value >= range.gte) &&
      (range.gt === undefined || value > range.gt) &&
      (range.lte === undefined || value <= range.lte) &&
      (range.lt === undefined || value < range.lt)
    );
  }

  function hasWords(activity: OracleRow, search: string): boolean {
    const words = `${activity['subject'] ?? ''} ${activity['body'] ?? ''}`.toLowerCase().split(/[^\p{L}\p{N}]+/u);
    return search
      .split(' ')
      .every((word) => (word.startsWith('-') ? !words.includes(word.slice(1)) : words.includes(word)));
  }

  /** Activities of a tenant that match, in no order. Times of the filter are UTC already. */
  function matching(tenant: string, filter: Filter): OracleRow[] {
    const items = filter['selection'] !== undefined || filter['selected'] !== undefined ? itemsOf(tenant) : [];
    const inSelection = new Set(
      items.filter((item) => item['selection_id'] === filter['selection']).map((item) => item['activity_id']),
    );
    const held = new Set(
      items
        .filter(
          (item) =>
            oracle.find('catalog.selections', tenant, textOf(item['selection_id'])!)?.['status'] !== 'discarded',
        )
        .map((item) => item['activity_id']),
    );
    const fields: Record<string, (activity: OracleRow) => unknown> = {
      kind: (activity) => activity['kind'],
      status: (activity) => activity['status'],
      priority: (activity) => activity['priority'],
      owner: (activity) => activity['owner_id'],
      account: accountOf,
      contact: (activity) => activity['who_id'],
      direction: (activity) => activity['direction'],
      outcome: (activity) => activity['outcome'],
    };
    return [...(oracle.tables.get('catalog.activities')?.values() ?? [])].filter((activity) => {
      if (activity['tenant'] !== tenant || activity['deleted']) return false;
      for (const [field, value] of Object.entries(filter)) {
        const read = fields[field];
        if (read) {
          if (!(value as unknown[]).includes(read(activity))) return false;
        } else if (field === 'closed') {
          if (activity['is_closed'] !== value) return false;
        } else if (field === 'occurredAt') {
          if (!within(textOf(activity['occurred_at']), value as Range)) return false;
        } else if (field === 'dueOn') {
          if (!within(textOf(activity['due_on']), value as Range)) return false;
        } else if (field === 'selected') {
          if (held.has(activity['id']) !== value) return false;
        } else if (field === 'selection') {
          if (!inSelection.has(activity['id'])) return false;
        } else if (field === 'text') {
          if (!hasWords(activity, value as string)) return false;
        } else throw new Error(`the oracle does not know the filter ${field}`);
      }
      return true;
    });
  }

  function named(activity: OracleRow, role: string, id: string | null) {
    const sent = (activity['names'] as Record<string, string>)[role];
    if (id === null && sent === undefined) return null;
    const record = related(activity, id);
    return { id, name: record?.['name'] ?? sent ?? null, type: record?.['type'] ?? null };
  }

  function activityRow(activity: OracleRow) {
    return {
      id: activity['id'],
      revision: activity['revision'],
      kind: activity['kind'],
      subject: activity['subject'],
      status: activity['status'],
      closed: activity['is_closed'],
      priority: activity['priority'],
      direction: activity['direction'],
      outcome: activity['outcome'],
      durationSeconds: activity['duration_seconds'],
      occurredAt: activity['occurred_at'],
      dueOn: activity['due_on'],
      owner: named(activity, 'owner', textOf(activity['owner_id'])),
      account: named(activity, 'account', accountOf(activity)),
      who: named(activity, 'who', textOf(activity['who_id'])),
      what: named(activity, 'what', textOf(activity['what_id'])),
      source: activity['source'],
      sourceId: activity['source_id'],
      sourceModifiedAt: activity['source_modified_at'],
      contentHash: activity['content_hash'],
      changedAt: activity['changed_at'],
    };
  }

  const sortValues: Record<string, (activity: OracleRow) => string | number> = {
    occurredAt: (activity) => textOf(activity['occurred_at']) ?? '',
    dueOn: (activity) => textOf(activity['due_on']) ?? '',
    modifiedAt: (activity) => textOf(activity['source_modified_at']) ?? '',
    duration: (activity) => (activity['duration_seconds'] as number | null) ?? -1,
  };

  /** All that match, in order: those without a value first when rising, last when falling. */
  function listed(tenant: string, filter: Filter, sort: string) {
    const falling = sort.startsWith('-') ? -1 : 1;
    const placeOf = sortValues[sort.replace('-', '')]!;
    return matching(tenant, filter)
      .sort((a, b) => {
        const [x, y] = [placeOf(a), placeOf(b)];
        if (x !== y) return x < y ? -falling : falling;
        return textOf(a['id'])! < textOf(b['id'])! ? -falling : falling;
      })
      .map(activityRow);
  }

  const snapshotOf = (tenant: string, id: string, revision: number) =>
    oracle.find('catalog.activity_versions', tenant, id, revision)?.['snapshot'] as ActivitySnapshot;

  function detail(tenant: string, id: string) {
    const activity = oracle.find('catalog.activities', tenant, id);
    if (!activity) return null;
    const { derived, personal } = snapshotOf(tenant, id, activity['revision'] as number);
    const { kindFrom, isClosedFrom, directionFrom, outcomeFrom, occurredAtFrom } = derived;
    return {
      ...activityRow(activity),
      deleted: activity['deleted'],
      body: personal.body,
      extra: personal.extra,
      derivedFrom: {
        kind: kindFrom,
        isClosed: isClosedFrom,
        direction: directionFrom,
        outcome: outcomeFrom,
        occurredAt: occurredAtFrom,
      },
    };
  }

  function selectionRow(selection: OracleRow) {
    const held = itemsOf(textOf(selection['tenant'])!).filter((item) => item['selection_id'] === selection['id']);
    return {
      id: selection['id'],
      revision: selection['revision'],
      name: selection['name'],
      purpose: selection['purpose'],
      status: selection['status'],
      filling: selection['filling'],
      count: held.length,
      digest: selection['digest'],
      copiedFrom: selection['copied_from'],
      filter: selection['filter'],
      openedBy: selection['opened_by'],
      openedAt: selection['opened_at'],
      frozenAt: selection['frozen_at'],
      changedAt: selection['changed_at'],
      exports: selection['exports'],
      shares: selection['shares'],
    };
  }

  function selection(tenant: string, id: string) {
    const row = oracle.find('catalog.selections', tenant, id);
    return row ? selectionRow(row) : null;
  }

  /** Last changed first. */
  function selections(tenant: string) {
    return oracle
      .rows('catalog.selections', tenant)
      .sort((a, b) => {
        const [x, y] = [`${a['changed_at']}${a['id']}`, `${b['changed_at']}${b['id']}`];
        return x < y ? 1 : -1;
      })
      .map(selectionRow);
  }

  /** What it holds, by activity id, in the versions that were selected. */
  function content(tenant: string, id: string) {
    return itemsOf(tenant)
      .filter((item) => item['selection_id'] === id)
      .map((item) => {
        const activity = oracle.find('catalog.activities', tenant, textOf(item['activity_id'])!)!;
        const { personal, ...facts } = snapshotOf(tenant, textOf(item['activity_id'])!, item['revision'] as number);
        const { subject, body, names, extra } = personal;
        const person = (key: unknown) => ({ id: key, name: related(activity, key)?.['name'] ?? null });
        return {
          id: item['activity_id'],
          revision: item['revision'],
          contentHash: item['content_hash'],
          selectedAt: item['selected_at'],
          currentRevision: activity['revision'],
          deleted: activity['deleted'],
          owner: person(activity['owner_id']),
          account: person(accountOf(activity)),
          who: person(activity['who_id']),
          version: { ...facts, personal: { subject, body, names, extra } },
        };
      });
  }

  return { matching, listed, detail, selection, selections, content };
}
