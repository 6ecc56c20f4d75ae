/**
 * Record ids of Salesforce: 15 characters, where case matters, or 18, where three more make the id safe in a
 * spreadsheet that ignores case. Each of those three says which letters of a block of five are capitals (bit 0 is the
 * first letter), written in base 32 as A to Z and 0 to 5. We store 18.
 */
const SUFFIX = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';

/** Bit i: the character at i is a capital; -1: a character that no id has. */
function suffixOf(id: string): string | null {
  let suffix = '';
  for (let block = 0; block < 15; block += 5) {
    let bits = 0;
    for (let i = 0; i < 5; i++) {
      const code = id.charCodeAt(block + i);
      if (code >= 65 && code <= 90) bits |= 1 << i;
      else if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 122))) return null;
    }
    suffix += SUFFIX[bits];
  }
  return suffix;
}

/** The 18-character form, or null for what is no id: wrong length, wrong characters, or a suffix that does not fit. */
export function salesforceId(text: string): string | null {
  if (text.length !== 15 && text.length !== 18) return null;
  const suffix = suffixOf(text);
  if (suffix === null) return null;
  if (text.length === 15) return text + suffix;
  return text.slice(15).toUpperCase() === suffix ? text.slice(0, 15) + suffix : null;
}

/** Why `salesforceId` said null, without the text itself, which may be anything. */
export function whyNoSalesforceId(text: string): string {
  if (text.length !== 15 && text.length !== 18) return `has ${text.length} characters instead of 15 or 18`;
  if (suffixOf(text) === null) return 'has characters other than A-Z, a-z and 0-9';
  return 'does not fit its last three characters: upper and lower case were probably changed on the way';
}
