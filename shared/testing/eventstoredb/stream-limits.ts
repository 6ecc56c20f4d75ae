/** A stream's metadata, as far as it decides what a reader of the stream sees. Readers of $all see everything. */

/** Where a stream was cut. */
export interface StreamLimits {
  /** Events before this revision are gone ($tb). */
  readonly truncateBefore: number;
  /** Only so many of the last events are shown ($maxCount). */
  readonly maxCount: number;
  /** Only events younger than this are shown ($maxAge), in seconds. */
  readonly maxAgeSeconds: number;
}

/** Nothing cut. */
export const noLimits: StreamLimits = {
  truncateBefore: 0,
  maxCount: Number.POSITIVE_INFINITY,
  maxAgeSeconds: Number.POSITIVE_INFINITY,
};

/** A soft delete truncates before the largest 64-bit number, which a double cannot hold exactly. */
const everything = 2 ** 63;

/** What a soft delete writes as the stream's metadata. It replaces whatever was there. */
export const softDeletedMetadata = '{"$tb":9223372036854775807}';

/** True for limits that a soft delete set. */
export const isSoftDelete = (limits: StreamLimits): boolean => limits.truncateBefore >= everything;

/** Reads the JSON of a metadata event. Metadata that is not JSON limits nothing, as on the server. */
export function limitsFrom(metadata: Uint8Array): StreamLimits {
  const parsed = parsedObject(metadata);
  return {
    truncateBefore: numberOr(parsed['$tb'], noLimits.truncateBefore),
    maxCount: numberOr(parsed['$maxCount'], noLimits.maxCount),
    maxAgeSeconds: numberOr(parsed['$maxAge'], noLimits.maxAgeSeconds),
  };
}

/** The same metadata with the cut moved: what the server writes when somebody appends to a soft-deleted stream. */
export function recreatedFrom(metadata: Uint8Array, revision: number): Uint8Array {
  return Buffer.from(JSON.stringify({ ...parsedObject(metadata), $tb: revision }));
}

function parsedObject(json: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
    return parsed !== null && typeof parsed === 'object' ? { ...parsed } : {};
  } catch {
    return {};
  }
}

const numberOr = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);
