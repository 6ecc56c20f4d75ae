/** A storage that speaks S3, of a test's own: Adobe's S3Mock, which is a server of its own as Maven has it. Needs `java` and `mvn`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '#shared/runtime/free-port.ts';
import { mavenArtifacts } from './maven-artifacts.ts';
import { startServer } from './server-process.ts';

/** The last one for Java 17. */
const version = '4.11.0';

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** With these buckets, and empty. It takes any credentials. */
export async function startS3Server(buckets: readonly string[]): Promise<S3Server> {
  const jars = await mavenArtifacts(`s3mock-${version}`, [
    { group: 'com.adobe.testing', artifact: 's3mock', version, classifier: 'exec' },
  ]);
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-s3-'));
  const [port, tlsPort] = [await freePort(), await freePort()];
  const server = await startServer({
    command: 'java',
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-jar',
      path.join(jars, `s3mock-${version}-exec.jar`),
      `--com.adobe.testing.s3mock.httpPort=${port}`,
      `--server.port=${tlsPort}`,
      `--com.adobe.testing.s3mock.store.root=${folder}`,
      '--com.adobe.testing.s3mock.store.retain-files-on-exit=true',
      `--com.adobe.testing.s3mock.store.initial-buckets=${buckets.join(',')}`,
    ],
    ports: [port],
    hint: 'a Java runtime, 17 or newer',
    cwd: folder,
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    kill: server.kill,
    start: server.start,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
