/** A backup in a bucket of S3 or of a storage that speaks its protocol. A part is one PUT, which is whole or nothing. */
import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { S3Config } from '#shared/backup/s3/config.ts';
import { type BackupStore, type StoredFile, StoreUnavailable } from '#shared/backup/store.ts';

/** Each is tried three times by the client. */
export interface S3Patience {
  readonly connectionTimeout: number;
  /** Without a byte in either direction. */
  readonly socketTimeout: number;
  /** From the first byte of a request to the first of its answer: a part of 8 MiB at 14 kB/s. */
  readonly requestTimeout: number;
}

const patience: S3Patience = { connectionTimeout: 10_000, socketTimeout: 30_000, requestTimeout: 600_000 };

export interface S3Place {
  readonly bucket: string;
  /** Without a slash at its end; empty: the whole bucket. */
  readonly prefix: string;
  /** Ends whatever it waits for. */
  readonly signal: AbortSignal;
  /** In milliseconds; tests have little. */
  readonly patience?: S3Patience;
}

export function s3Store(
  { endpoint, region }: S3Config,
  { bucket, prefix, signal, patience: given = patience }: S3Place,
): BackupStore {
  const place = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const client = new S3Client({
    ...(region === null ? {} : { region }),
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    // Content-MD5, which every storage knows, stands for the checksums of the SDK: some refuse those that they do not know.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { ...given, throwOnRequestTimeout: true },
    // It would be waited for as long as for an answer, where a storage does not know it.
    expectContinueHeader: false,
  });
  const below = prefix === '' ? '' : `${prefix}/`;
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw new StoreUnavailable(`${place} cannot be used: ${reasonOf(error, bucket, endpoint, region)}`, {
        cause: error,
      });
    }
  };

  return {
    place,

    list: () =>
      explained(async () => {
        const files: StoredFile[] = [];
        for (let next: string | undefined, more = true; more; more = next !== undefined) {
          const page = await client.send(
            new ListObjectsV2Command({ Bucket: bucket, Prefix: below, ...(next ? { ContinuationToken: next } : {}) }),
            { abortSignal: signal },
          );
          // Some tools make an empty object for the prefix itself.
          for (const { Key = '', Size = 0 } of page.Contents ?? [])
            if (Key !== below) files.push({ name: Key.slice(below.length), bytes: Size });
          next = page.NextContinuationToken;
        }
        return files;
      }),

    read: (name) =>
      explained(async () => {
        try {
          const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${below}${name}` }), {
            abortSignal: signal,
          });
          return Buffer.from((await Body?.transformToByteArray()) ?? []);
        } catch (error) {
          if ((error as Error).name === 'NoSuchKey') return null;
          throw error;
        }
      }),

    write: (name, bytes) =>
      explained(async () => {
        // Buckets with Object Lock refuse what has no checksum.
        const ContentMD5 = createHash('md5').update(bytes).digest('base64');
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${below}${name}`, Body: bytes, ContentMD5 }), {
          abortSignal: signal,
        });
      }),

    remove: (name) =>
      explained(async () => {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${below}${name}` }), { abortSignal: signal });
      }),

    close: () => client.destroy(),
  };
}

/** What is wrong and what to do; never a credential. */
function reasonOf(error: unknown, bucket: string, endpoint: string | null, region: string | null): string {
  const { name, message, code } = error as NodeJS.ErrnoException;
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  if (name === 'NoSuchBucket') return `there is no bucket ${bucket}. Create it, or correct the name.`;
  if (
    name === 'InvalidAccessKeyId' ||
    name === 'SignatureDoesNotMatch' ||
    name === 'InvalidToken' ||
    name === 'ExpiredToken'
  )
    return `the credentials are refused (${name}). Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or the profile.`;
  if (
    name === 'PermanentRedirect' ||
    name === 'AuthorizationHeaderMalformed' ||
    name === 'IllegalLocationConstraintException' ||
    status === 301
  )
    return `the bucket is in another region than ${region ?? 'the profile says'}. Set AWS_REGION to the bucket's.`;
  if (name === 'AccessDenied' || status === 403)
    return 'access is denied. The credentials need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix.';
  if (name === 'CredentialsProviderError')
    return 'there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.';
  if (message === 'Region is missing') return 'the region of the bucket is not known. Set AWS_REGION.';
  if (name === 'TimeoutError')
    return `${endpoint ?? 'AWS'} does not answer in time. Check the network${endpoint === null ? '' : ', BACKUP_S3_ENDPOINT'} and the storage.`;
  if (status !== undefined) return `the storage answers ${status} (${name}).`;
  return `${endpoint ?? 'AWS'} does not answer (${code ?? name}). Check the network${endpoint === null ? '' : ' and BACKUP_S3_ENDPOINT'}.`;
}
