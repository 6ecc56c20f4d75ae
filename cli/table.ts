/** Rows under headings, for a terminal. */
import { plain } from '#cli/output.ts';

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Shortened to what the others leave; at most one. */
  readonly flexible?: true;
  readonly right?: true;
}

const gap = '  ';
const leastFlexible = 12;
const mostFlexible = 60;

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const segments = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cells of a terminal that the text takes. */
export function widthOf(text: string): number {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segments.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of segments.segment(text)) {
    used += widthOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? space + text : text + space;
}

/**
 * A function from rows to lines. Its widths are those of the first rows, so that pages that follow stand under the same
 * headings. `screen`: the width of the terminal, null where there is none.
 */
export function tableOf<Row>(columns: readonly Column<Row>[], first: readonly Row[], screen: number | null) {
  const widths = columns.map(({ title, text }) =>
    Math.max(widthOf(title), ...first.map((row) => widthOf(plain(text(row))))),
  );
  const flexible = columns.findIndex((column) => column.flexible);
  if (flexible >= 0) {
    const others = widths.reduce(
      (sum, width, at) => (at === flexible ? sum : sum + width),
      gap.length * (columns.length - 1),
    );
    const left = screen === null ? mostFlexible : screen - others;
    widths[flexible] = Math.min(widths[flexible] as number, Math.max(leastFlexible, left));
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const width = widths[at] as number;
        return pad(at === flexible ? shorten(cell, width) : cell, width, columns[at]?.right ?? false);
      })
      .join(gap)
      .trimEnd();
  return {
    head: () => line(columns.map(({ title }) => title)),
    row: (row: Row) => line(columns.map(({ text }) => plain(text(row)))),
  };
}
