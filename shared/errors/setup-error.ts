/**
 * Something about the machine or the settings keeps the program from starting. The message is for the person who
 * started it: it says what is wrong and what to do, so it is shown without a stack trace.
 */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
