/** Certificates of servers that tests start: each its own authority. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
  /** A file with `cert`, for clients that trust it. */
  readonly caFile: string;
}

export interface CertificateOptions {
  /** The folder and the name of the file. */
  readonly folder: string;
  readonly name?: string;
  /** What the certificate holds: a name, or by default the address 127.0.0.1. */
  readonly host?: string;
  /** Days from now until it ends; past days where it is less than 0. */
  readonly days?: number;
}

const dayMilliseconds = 86_400_000;

export async function makeCertificate(options: CertificateOptions): Promise<Certificate> {
  const { folder, name = 'ca', host = '127.0.0.1', days = 30 } = options;
  const end = Date.now() + days * dayMilliseconds;
  const made = await generate([{ name: 'commonName', value: host }], {
    notBeforeDate: new Date(Math.min(Date.now(), end) - dayMilliseconds),
    notAfterDate: new Date(end),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [/^[\d.]+$/.test(host) ? { type: 7, ip: host } : { type: 2, value: host }],
      },
    ],
  });
  const caFile = path.join(folder, `${name}.pem`);
  await writeFile(caFile, made.cert);
  return { cert: made.cert, key: made.private, caFile };
}
