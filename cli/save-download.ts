/** A document of any size, to standard output or whole into a file; its digest is checked where the service gave one. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError } from '#cli/cli-error.ts';
import type { Download } from '#cli/client.ts';

export interface Saved {
  /** Null: standard output. */
  readonly file: string | null;
  readonly bytes: number;
  readonly digest: string;
  /** Whether the service gave a digest to compare with. */
  readonly verified: boolean;
}

/** `out`: a file, or `-`. A file appears whole, under its name, or not at all; one that is there is replaced. */
export async function saveDownload({ headers, body }: Download, out: string): Promise<Saved> {
  const hash = createHash('sha256');
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  const expected = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(headers.get('Repr-Digest') ?? '')?.[1];
  const verify = (): Omit<Saved, 'file'> => {
    const found = hash.digest();
    if (expected !== undefined && found.toString('base64') !== expected)
      throw new CliError(
        'What arrived is not what the service handed out (its digest differs). Do not use it; run the command again.',
      );
    return { bytes: size, digest: `sha-256:${found.toString('hex')}`, verified: expected !== undefined };
  };
  const content = Readable.from(counted(), { objectMode: false });
  if (out === '-') {
    await pipeline(content, process.stdout, { end: false });
    return { file: null, ...verify() };
  }
  const unfinished = path.join(path.dirname(out), `.${path.basename(out)}.${process.pid}.part`);
  try {
    await pipeline(content, createWriteStream(unfinished));
    const told = verify();
    await rename(unfinished, out);
    return { file: out, ...told };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    throw new CliError(`${out} could not be written (${code}). Choose another place with --out.`);
  } finally {
    await rm(unfinished, { force: true });
  }
}
