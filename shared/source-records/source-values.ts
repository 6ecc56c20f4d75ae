/**
 * Values as sources write them, in our form. Each function answers undefined for what it cannot read; the caller
 * rejects the record and names the column, never the value.
 */
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const DATE = /^(\d{4})-(\d{2})-(\d{2})/;
const INSTANT =
  /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)$/;
/** 10 to 14 digits: 1970-04-26 to 5138. Fewer would rather be a year or a number of seconds. */
const EPOCH_MILLISECONDS = /^\d{10,14}$/;
/** Some exports write a plain date as midnight UTC: it is the same date, whatever the reader's zone. */
const MIDNIGHT = /^T00:00:00(?:\.0+)?(?:Z|\+00:?00)$/;

function isDate(text: string): boolean {
  const parts = DATE.exec(text);
  if (!parts) return false;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return year > 0 && day >= 1 && day <= (DAYS[month - 1] ?? 0) + (leap ? 1 : 0);
}

/** A date without a zone, `YYYY-MM-DD`, exactly as it was written. */
export function plainDate(text: string): string | undefined {
  if (!isDate(text)) return undefined;
  return text.length === 10 || MIDNIGHT.test(text.slice(10)) ? text.slice(0, 10) : undefined;
}

/**
 * A point in time as `YYYY-MM-DDTHH:mm:ss.SSSZ`. Reads what Salesforce writes: REST (`…000+0000`), Bulk CSV (`…000Z`),
 * streaming (`…Z`) and Pub/Sub (epoch milliseconds). A bare date, as reports have it, is the start of that day in UTC.
 */
export function instant(text: string): string | undefined {
  if (EPOCH_MILLISECONDS.test(text)) return new Date(Number(text)).toISOString();
  if (!isDate(text)) return undefined;
  if (text.length === 10) return `${text}T00:00:00.000Z`;
  const parts = INSTANT.exec(text);
  if (!parts) return undefined;
  const zone = parts[6] as string;
  const time = `${text.slice(0, 19)}.${(parts[5] ?? '').slice(0, 3).padEnd(3, '0')}Z`;
  if (zone === 'Z' || zone === '+0000' || zone === '+00:00') return time;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  const shifted = new Date(Date.parse(time) - (zone[0] === '-' ? -minutes : minutes) * 60_000);
  const result = shifted.toISOString();
  // The year 0 is one that Postgres does not have.
  return result.length === 24 && !result.startsWith('0000') ? result : undefined;
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
};

export function boolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  return Object.hasOwn(BOOLEANS, word) ? BOOLEANS[word] : undefined;
}

/** A duration of at most 9,999,999 seconds (115 days), from a number of seconds or, with `unit` 60, of minutes. */
export function seconds(text: string, unit: 1 | 60 = 1): number | undefined {
  return /^\d{1,7}(\.\d{1,6})?$/.test(text) ? Math.round(Number(text) * unit) : undefined;
}
