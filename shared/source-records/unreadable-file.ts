/** A whole file that cannot be read. The message says what to do; it names columns, never what stands in them. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}
