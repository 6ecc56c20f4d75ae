/** Names in the environment that were probably meant as settings. */

/** Shorter names are next to everybody's (HOST, HOME; PORT, PATH). */
const leastLength = 7;
const mostEdits = 2;

/** How many letters must be put in, left out, exchanged or swapped with their neighbour to make one of the other. */
export function editsBetween(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(
        (rows[i - 1]?.[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (rows[i - 1]?.[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (rows[i - 2]?.[j - 2] as number) + 1);
      row[j] = least;
    }
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) as number;
}

/** Of each name that is no setting and looks like one: which one. Others of `names` are left out. */
export function misspeltSettings(names: readonly string[], settings: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of names) {
    if (settings.includes(name)) continue;
    const plain = name.toUpperCase().replace(/^COOL_?MINT_/, '');
    if (settings.includes(plain)) {
      // Small letters are other names; HOST and the like in them are everybody's.
      if (plain.length >= leastLength || name.toUpperCase() !== plain) found.set(name, plain);
      continue;
    }
    const [nearest] = settings
      .filter((setting) => setting.length >= leastLength)
      .map((setting) => ({ setting, edits: editsBetween(plain, setting) }))
      .filter(({ edits }) => edits <= mostEdits)
      .sort((a, b) => a.edits - b.edits);
    if (nearest) found.set(name, nearest.setting);
  }
  return found;
}
