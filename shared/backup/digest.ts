import { createHash } from 'node:crypto';

/** Of bytes as they stand in a file: "sha-256:" and hexadecimal. */
export const digestOf = (bytes: Uint8Array | string): string =>
  `sha-256:${createHash('sha256').update(bytes).digest('hex')}`;

export const hexOf = (digest: string): string => digest.slice('sha-256:'.length);
