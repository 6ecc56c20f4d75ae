/**
 * The kernel. Every command that changes one entity goes this way: load the stream; look for this command's own
 * events (then it is a repeat, and answers as the first time, before anything else is checked); check If-Match;
 * resolve what the decision needs from elsewhere; decide (pure); append; on a conflict start again.
 *
 * Event ids are made of the command's identity, so no table of keys is needed, and sending twice records once.
 */
import type { Pool } from 'pg';
import type { Command } from '#command-service/command.ts';
import type { Decision, Evolution } from '#command-service/decision.ts';
import { eventMetadata } from '#command-service/event-metadata.ts';
import { commandMetrics } from '#command-service/metrics.ts';
import { appendableRuns, completePlannedAppend, planAppend } from '#command-service/planned-appends.ts';
import { recordOrigin } from '#command-service/request-origins.ts';
import { serialiseEvent, tooLarge } from '#shared/event-log/event-bytes.ts';
import type { EventLog, Expected, NewEvent } from '#shared/event-log/event-log.ts';
import type { Position } from '#shared/event-log/position.ts';
import { decodeEvent, encodeEvent } from '#shared/events/codec.ts';
import type { DomainEvent, StoredEvent } from '#shared/events/event.ts';
import { categoryOf, commandEventId } from '#shared/events/stream-name.ts';
import { type Refusal, refuse } from '#shared/http/problem.ts';
import { inSpan } from '#shared/telemetry/span.ts';

const attempts = 20;

export interface KernelParts {
  readonly pool: Pool;
  readonly log: EventLog;
}

export interface Accepted<State> {
  /** recorded: events were added; repeated: they had been, by the same command; already: there was nothing to add. */
  readonly outcome: 'recorded' | 'repeated' | 'already';
  readonly state: State;
  /** Of the stream after this command. */
  readonly revision: number;
  /** Of the last event of this command; of the stream's last event where it added none. */
  readonly position: Position;
  /** What this command recorded. */
  readonly events: readonly StoredEvent[];
}

export interface CommandTarget<State, Resolved> {
  readonly tenant: string;
  readonly stream: string;
  readonly evolution: Evolution<State>;
  /** Facts from elsewhere that the decision needs; asked only where the command is no repeat. */
  readonly resolve: (state: State) => Promise<Resolved | Refusal>;
  readonly decide: (state: State, resolved: Resolved) => Decision;
}

export const nothingToResolve = async () => ({});

export function handleCommand<State, Resolved extends object>(
  parts: KernelParts,
  command: Command,
  target: CommandTarget<State, Resolved>,
): Promise<Accepted<State> | Refusal> {
  const category = categoryOf(target.stream);
  const ended = commandMetrics.seconds.startTimer({ category });
  return inSpan('command', { 'cool_mint.command_id': command.id }, async () => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const result = await attemptCommand(parts, command, target);
      if (result !== 'conflict') return result;
      commandMetrics.conflicts.inc({ category });
    }
    return refuse(
      'too-many-conflicts',
      'Others keep changing it. Send it again unchanged, with the same Idempotency-Key.',
      { retryAfter: 1 },
    );
  }).then(
    (result) => {
      ended({ outcome: result.outcome });
      return result;
    },
    (error: unknown) => {
      ended({ outcome: 'failed' });
      throw error;
    },
  );
}

async function attemptCommand<State, Resolved extends object>(
  { pool, log }: KernelParts,
  command: Command,
  target: CommandTarget<State, Resolved>,
): Promise<Accepted<State> | Refusal | 'conflict'> {
  const { tenant, stream, evolution } = target;
  const stored = (await Array.fromAsync(log.readStream(tenant, stream))).map(decodeEvent);
  const own = stored.filter((event) => event.metadata.commandId === command.id);
  if (own.some((event) => event.metadata.requestHash !== command.requestHash))
    return refuse(
      'idempotency-key-reused',
      'This Idempotency-Key was used for another request. Use a new key, or send what was sent then.',
    );
  if (own.length > 0) {
    if (await hasPlan(pool, stream)) {
      await completePlannedAppend(pool, log, stream);
      return 'conflict';
    }
    const last = own.at(-1) as StoredEvent;
    return accepted('repeated', evolution, stored.slice(0, last.revision + 1), own);
  }
  if (command.ifMatch !== null && command.ifMatch !== stored.length - 1)
    return refuse(
      'revision-differs',
      stored.length === 0
        ? 'There is no such thing.'
        : `It is at revision ${stored.length - 1}, not ${command.ifMatch}. Read it again and decide anew.`,
    );
  const state = stored.reduce((before, event) => evolution.evolve(before, event), evolution.initial);
  const resolved = await target.resolve(state);
  if (isRefusal(resolved)) return resolved;
  const decision = target.decide(state, resolved);
  if (decision.outcome === 'refused') return decision;
  if (decision.outcome === 'already') return accepted('already', evolution, stored, []);

  const events = decision.events.map((event, index) => newEvent(command, tenant, event, index));
  const expected: Expected = stored.length === 0 ? 'none' : stored.length - 1;
  await recordOrigin(pool, command);
  for (const event of events) {
    const refusal = tooLarge([serialiseEvent(event)]);
    if (refusal)
      return refuse(
        'too-large',
        `One of its events would take ${refusal.bytes} bytes; ${refusal.limit} are the limit.`,
      );
  }
  if (appendableRuns(events).length > 1) {
    if (!(await planAppend(pool, tenant, stream, expected, events))) {
      await completePlannedAppend(pool, log, stream);
      return 'conflict';
    }
    await completePlannedAppend(pool, log, stream);
    // Read again: the command finds its own events, or that others were first.
    const after = (await Array.fromAsync(log.readStream(tenant, stream))).map(decodeEvent);
    const written = after.filter((event) => event.metadata.commandId === command.id);
    const last = written.at(-1);
    return last ? accepted('recorded', evolution, after.slice(0, last.revision + 1), written) : 'conflict';
  }
  const [result] = await log.append([{ stream, expected, events }]);
  if (result?.outcome === 'too-large')
    return refuse('too-large', `It would take ${result.bytes} bytes; ${result.limit} are the limit.`);
  if (result?.outcome !== 'appended') return 'conflict';
  // The same command may have been under way twice, and decided differently: what the log holds is the answer.
  const after = (await Array.fromAsync(log.readStream(tenant, stream, stored.length))).map(decodeEvent);
  const written = after.slice(0, events.length);
  return accepted('recorded', evolution, [...stored, ...written], written);
}

const isRefusal = (value: object): value is Refusal => 'outcome' in value && value.outcome === 'refused';

function accepted<State>(
  outcome: Accepted<State>['outcome'],
  evolution: Evolution<State>,
  history: readonly StoredEvent[],
  events: readonly StoredEvent[],
): Accepted<State> {
  const last = history.at(-1) as StoredEvent;
  return {
    outcome,
    state: history.reduce((before, event) => evolution.evolve(before, event), evolution.initial),
    revision: last.revision,
    position: last.position,
    events,
  };
}

async function hasPlan(pool: Pool, stream: string): Promise<boolean> {
  const plan = await pool.query('select 1 from command.planned_appends where stream = $1', [stream]);
  return plan.rowCount === 1;
}

/** An event of a command with its deterministic id. */
function newEvent(command: Command, tenant: string, event: DomainEvent, index: number): NewEvent {
  encodeEvent(event);
  return {
    id: commandEventId(command.id, command.requestHash, index),
    type: event.type,
    data: event.data,
    metadata: eventMetadata(command, tenant, event.type, command.now),
  };
}
