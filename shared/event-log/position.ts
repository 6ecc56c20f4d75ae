/**
 * A position: an event's place in the whole log. Opaque to callers, totally ordered, and belonging to one log: the
 * log's id (8 hexadecimal digits) and one or two numbers of 16 hexadecimal digits, joined by dashes. Within one log
 * the width is fixed, so the order of the text (by bytes, COLLATE "C" in SQL) is the order of the log.
 */

export type Position = string;

const pattern = /^[0-9a-f]{8}(-[0-9a-f]{16}){1,2}$/;

export const isPosition = (text: string): boolean => pattern.test(text);

export const logIdOf = (position: Position): string => position.slice(0, 8);

/** Composes a position of the numbers that the log counts in. */
export const positionOf = (logId: string, ...numbers: readonly (number | bigint)[]): Position =>
  [logId, ...numbers.map((number) => number.toString(16).padStart(16, '0'))].join('-');

/** The numbers that a position was composed of. */
export const numbersOf = (position: Position): bigint[] =>
  position
    .split('-')
    .slice(1)
    .map((digits) => BigInt(`0x${digits}`));

/** Whether whoever has got to a position has reached another one; never that of another log. */
export const reaches = (position: Position, demanded: Position): boolean =>
  logIdOf(position) === logIdOf(demanded) && position >= demanded;

export const laterOf = (a: Position, b: Position): Position => (a >= b ? a : b);

/** How far a position is on the way to another one of the same log; null for an empty way. For the eye only. */
export function fractionOf(position: Position, head: Position): number | null {
  const end = Number(numbersOf(head)[0] ?? 0);
  return end > 0 ? Math.min(1, Number(numbersOf(position)[0] ?? 0) / end) : null;
}
