import type { SourceRecord } from './source-record.ts';

const MAX_REASON = 500;

export function rejectedRecord(line: number, sourceId: string | null, reason: string): SourceRecord {
  return {
    noun: 'rejected',
    line,
    sourceId,
    reason: reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON - 1)}…` : reason,
  };
}
