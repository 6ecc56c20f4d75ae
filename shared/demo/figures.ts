/**
 * The figures that demo data follows: published figures of two real orgs (a Task table of 49.5 million rows, and one of
 * 187,519 rows) and of 45,211 real sales calls.
 *
 * One liberty: in the second org two thirds of all rows are text messages. They would crowd out everything else in a
 * demonstration and are scaled down to 11 %; the shares within calls and within e-mails are as published.
 */

/** Share of Tasks in which a field is filled, first org. */
export const fill = {
  subject: 0.999,
  completedAt: 0.905,
  whatId: 0.879,
  activityDate: 0.852,
  description: 0.75,
  reminder: 0.422,
  type: 0.308,
  callType: 0.226,
  callDuration: 0.21,
  accountId: 0.117,
  whoId: 0.115,
  callDisposition: 0.041,
} as const;

export type Activity = 'call' | 'email' | 'message' | 'todo';

/** Type, subtype and what it is. Weights sum up to 1, types to `fill.type`; within calls and e-mails: second org. */
export const taskShapes: readonly (readonly [
  { readonly is: Activity; readonly type: string; readonly subtype: string },
  number,
])[] = [
  [{ is: 'call', type: '', subtype: 'Call' }, 0.1512],
  [{ is: 'call', type: 'Call', subtype: 'Call' }, 0.0702],
  [{ is: 'call', type: 'Call', subtype: 'Task' }, 0.0086],
  [{ is: 'email', type: '', subtype: 'Email' }, 0.3893],
  [{ is: 'email', type: 'Email', subtype: 'Task' }, 0.0514],
  [{ is: 'email', type: 'Email', subtype: 'Email' }, 0.0082],
  [{ is: 'email', type: '', subtype: 'ListEmail' }, 0.0011],
  [{ is: 'message', type: 'Outgoing SMS', subtype: 'Task' }, 0.1],
  [{ is: 'message', type: 'Incoming SMS', subtype: 'Task' }, 0.012],
  [{ is: 'todo', type: '', subtype: 'Task' }, 0.1404],
  [{ is: 'todo', type: 'Form Submitted', subtype: 'Task' }, 0.015],
  [{ is: 'todo', type: 'Meeting', subtype: 'Task' }, 0.012],
  [{ is: 'todo', type: 'Other', subtype: 'Task' }, 0.0306],
  [{ is: 'todo', type: '', subtype: 'LinkedIn' }, 0.01],
];

/** Subjects of calls that a telephone system writes, by count, of 12,631 calls; the others are written by people. */
export const callSubjects: readonly (readonly [string, number])[] = [
  ['answered: Outbound call.', 3271],
  ['missed: Inbound call.', 575],
  ['missed: Outbound call.', 553],
  ['answered: Inbound call.', 371],
  ['Call', 327],
  ['', 7534],
];

const quantiles = [
  [0, 4],
  [0.1, 58],
  [0.5, 180],
  [0.9, 548],
  [0.99, 1269],
  [1, 4918],
] as const;

/**
 * Seconds of a call at a quantile (0 to 1). Between the published quantiles the reciprocals are interpolated: short calls
 * are more frequent there too, and unlike a logarithm it is the same to the last bit on every machine. Below the first
 * quantile the line is straight.
 */
export function callSeconds(at: number): number {
  const i = Math.max(
    1,
    quantiles.findIndex(([q]) => at <= q),
  );
  const [q0, s0] = quantiles[i - 1] as readonly [number, number];
  const [q1, s1] = quantiles[i] as readonly [number, number];
  const share = (at - q0) / (q1 - q0);
  if (i === 1) return Math.round(s0 + share * (s1 - s0));
  return Math.round(1 / ((1 - share) / s0 + share / s1));
}

/** Share of Events among activities. */
export const eventShare = 0.08;
