/** How an S3-compatible storage is reached. Credentials are found by the SDK, where every S3 tool looks for them. */
import { z } from 'zod';
import { SetupError } from '#shared/errors/setup-error.ts';

export const s3Settings = z.object({
  BACKUP_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('of a storage that is not AWS, such as https://storage.example:9000; buckets are then in the path'),
  AWS_REGION: z.string().min(1).optional().describe('of the bucket; us-east-1 where an endpoint is given'),
  AWS_DEFAULT_REGION: z.string().min(1).optional().describe('the same'),
});

export interface S3Config {
  readonly endpoint: string | null;
  /** Null: what the profile of the SDK says. */
  readonly region: string | null;
}

export function s3Config(environment: Readonly<Record<string, string | undefined>> = process.env): S3Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const read = s3Settings.safeParse(given);
  if (!read.success)
    throw new SetupError(read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'));
  const { BACKUP_S3_ENDPOINT: endpoint = null, AWS_REGION, AWS_DEFAULT_REGION } = read.data;
  return { endpoint, region: AWS_REGION ?? AWS_DEFAULT_REGION ?? (endpoint === null ? null : 'us-east-1') };
}
