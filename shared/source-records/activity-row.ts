/** Rows of Task and Event as activity records. */
import type { ActivityFacts } from '#shared/events/activity.ts';
import { type CellReaders, cellReaders, checkedText, RejectedCell } from './cell-reader.ts';
import { type ColumnPlan, planColumns } from './column-plan.ts';
import { eventColumns, isIgnoredColumn, nameColumns, taskColumns } from './columns.ts';
import { BOOLEAN, DATE, INSTANT, identityReader } from './identity.ts';
import type { Mapping } from './mapping.ts';
import { rejectedRecord } from './rejected-record.ts';
import type { RowReader } from './row-reader.ts';
import type { ActivityObject } from './salesforce-object.ts';
import type { ActivityRecord, SourceRecord } from './source-record.ts';
import { boolean, instant, plainDate, seconds } from './source-values.ts';

type Fields = readonly string[];
type Facts = ActivityRecord['facts'];
type When = Pick<Facts, 'startsAt' | 'dueOn' | 'allDay' | 'durationSeconds'>;

export function activityRowReader(object: ActivityObject, header: readonly string[], mapping: Mapping): RowReader {
  const plan = planColumns(header, object === 'Task' ? taskColumns : eventColumns, nameColumns, mapping);
  const cells = cellReaders(header, plan);
  const identity = identityReader(object, cells);
  const when = object === 'Task' ? taskTimes(cells) : eventTimes(cells);
  const hidden = object === 'Task' ? () => false : hiddenEvent(cells);
  const text = (field: keyof ActivityFacts) => cells.text(field);
  const id = (field: keyof ActivityFacts) => cells.id(field);
  const [type, subtype, callType, callDisposition] = [
    text('type'),
    text('subtype'),
    text('callType'),
    text('callDisposition'),
  ];
  const [status, priority, subject, body] = [
    text('status'),
    text('priority'),
    cells.text('subject'),
    cells.text('body'),
  ];
  const [ownerId, accountId, whoId, whatId] = [id('ownerId'), id('accountId'), id('whoId'), id('whatId')];
  const closed = cells.value('closed', boolean, BOOLEAN);
  const completedAt = cells.value('completedAt', instant, INSTANT);
  const createdAt = cells.value('createdAt', instant, INSTANT);
  const kind = mappedReader(cells, header, plan, 'kind');
  const outcome = mappedReader(cells, header, plan, 'outcome');
  const extra = extraReader(header, plan);
  const names = namesReader(plan);

  const activity = (fields: Fields, line: number, sourceId: string): SourceRecord => {
    const isHidden = hidden(fields);
    const { startsAt, dueOn, allDay, durationSeconds } = when(fields);
    return {
      line,
      noun: 'activity',
      sourceId,
      sourceModifiedAt: identity.sourceModifiedAt(fields),
      deleted: identity.deleted(fields),
      object,
      facts: {
        type: type(fields),
        subtype: subtype(fields),
        callType: callType(fields),
        callDisposition: callDisposition(fields),
        status: status(fields),
        closed: closed(fields),
        priority: priority(fields),
        durationSeconds,
        completedAt: completedAt(fields),
        startsAt,
        createdAt: createdAt(fields),
        dueOn,
        allDay,
        ownerId: ownerId(fields),
        accountId: accountId(fields),
        whoId: whoId(fields),
        whatId: whatId(fields),
      },
      kind: kind(fields),
      outcome: outcome(fields),
      subject: isHidden ? null : subject(fields),
      body: isHidden ? null : body(fields),
      names: isHidden ? {} : names(fields),
      extra: extra(fields, isHidden),
    };
  };

  const read = (fields: Fields, line: number): SourceRecord => {
    let sourceId: string | null = null;
    try {
      sourceId = identity.sourceId(fields);
      return activity(fields, line, sourceId);
    } catch (error) {
      if (!(error instanceof RejectedCell)) throw error;
      return rejectedRecord(line, sourceId, error.message);
    }
  };
  return { plan, read };
}

function mappedReader(cells: CellReaders, header: readonly string[], plan: ColumnPlan, field: 'kind' | 'outcome') {
  const at = plan.fields.get(field);
  if (at === undefined) return () => undefined;
  const from = header[at] as string;
  const read = cells.text(field);
  return (fields: Fields) => ({ value: read(fields) ?? null, from });
}

/** A Task has no start; its duration is that of the call. */
function taskTimes(cells: CellReaders): (fields: Fields) => When {
  const dueOn = cells.value('dueOn', plainDate, DATE);
  const startsAt = cells.value('startsAt', instant, INSTANT);
  const duration = cells.value('durationSeconds', seconds, 'a number of seconds, 0 or more');
  const allDay = cells.value('allDay', boolean, BOOLEAN);
  return (fields) => ({
    startsAt: startsAt(fields),
    dueOn: dueOn(fields),
    allDay: allDay(fields) ?? (cells.has('allDay') ? false : undefined),
    durationSeconds: duration(fields),
  });
}

/** An event of a whole day has a date and no time: a zone would move it to the day before or after. */
function eventTimes(cells: CellReaders): (fields: Fields) => When {
  const allDay = cells.value('allDay', boolean, BOOLEAN);
  const dueOn = cells.value('dueOn', plainDate, DATE);
  const [start, end] = [cells.value('startsAt', instant, INSTANT), cells.value('endsAt', instant, INSTANT)];
  const activityDateTime = cells.value('activityDateTime', instant, INSTANT);
  const given = cells.value('durationSeconds', seconds, 'a number of seconds, 0 or more');
  const minutes = cells.value('durationMinutes', (text) => seconds(text, 60), 'a number of minutes, 0 or more');
  const hasStart = cells.has('startsAt') || cells.has('activityDateTime');
  return (fields) => {
    const startsAt = start(fields) ?? activityDateTime(fields) ?? (hasStart ? null : undefined);
    const whole = allDay(fields) ?? (cells.has('allDay') ? false : undefined);
    const endsAt = end(fields);
    const between = startsAt && endsAt ? (Date.parse(endsAt) - Date.parse(startsAt)) / 1000 : null;
    const hasDuration = cells.has('durationSeconds') || cells.has('durationMinutes') || cells.has('endsAt');
    return {
      startsAt: whole ? null : startsAt,
      dueOn: dueOn(fields) ?? (whole && startsAt ? startsAt.slice(0, 10) : cells.has('dueOn') ? null : undefined),
      allDay: whole,
      durationSeconds:
        given(fields) ??
        minutes(fields) ??
        (between !== null && between >= 0 ? Math.round(between) : hasDuration ? null : undefined),
    };
  };
}

/** True for a private event. Throws for what is no meeting of its own. */
function hiddenEvent(cells: CellReaders): (fields: Fields) => boolean {
  const isChild = cells.value('isChild', boolean, BOOLEAN);
  const groupEventType = cells.text('groupEventType');
  const isPrivate = cells.value('isPrivate', boolean, BOOLEAN);
  return (fields) => {
    if (isChild(fields))
      throw new RejectedCell("this is an invitee's copy of a meeting (IsChild); the meeting itself is another record");
    if (groupEventType(fields) === '3')
      throw new RejectedCell(
        'this is the record of a series of meetings (GroupEventType 3); each meeting is a record of its own',
      );
    return isPrivate(fields) ?? false;
  };
}

function extraReader(
  header: readonly string[],
  plan: ColumnPlan,
): (fields: Fields, hidden: boolean) => Record<string, string | null> {
  const columns = plan.others.flatMap((at) =>
    isIgnoredColumn(header[at] as string) ? [] : [{ at, name: header[at] as string }],
  );
  return (fields, hidden) => {
    const extra: Record<string, string | null> = {};
    for (const { at, name } of columns) {
      const cell = fields[at] as string;
      extra[name] = cell === '' || hidden ? null : checkedText(cell, name);
    }
    return extra;
  };
}

function namesReader(plan: ColumnPlan): (fields: Fields) => Record<string, string> {
  const roles = [...plan.names];
  return (fields) => {
    const names: Record<string, string> = {};
    for (const [role, columns] of roles) {
      const name = columns.map((at) => fields[at]).find((cell) => cell !== undefined && cell !== '');
      if (name) names[role] = checkedText(name, role);
    }
    return names;
  };
}
