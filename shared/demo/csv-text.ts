/** Rows as CSV text, in chunks of a few hundred rows: one string a row would cost more than the rows. */
const ROWS_A_CHUNK = 256;

const NEEDS_QUOTES = /[",\r\n]/;
const cell = (text: string): string => (NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export type Cells = readonly string[];

export function* csvText(
  header: Cells,
  count: number,
  row: (index: number) => Cells,
): Generator<string, void, undefined> {
  let chunk = `${header.join(',')}\n`;
  for (let i = 0; i < count; i++) {
    const cells = row(i);
    let line = cell(cells[0] as string);
    for (let at = 1; at < cells.length; at++) line += `,${cell(cells[at] as string)}`;
    chunk += `${line}\n`;
    if ((i + 1) % ROWS_A_CHUNK === 0) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
