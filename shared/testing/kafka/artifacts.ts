/**
 * Apache Kafka as it comes from Maven: its jars, downloaded once and kept outside the project. Needs `java` and `mvn`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

const kafkaVersion = '4.3.1';
const log4jVersion = '2.25.2';

const dependency = (group: string, artifact: string, version: string) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;

/** Kafka still logs through slf4j 1.7: with the binding of slf4j 2 it prints nothing. */
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>cool-mint</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', kafkaVersion)}
${dependency('org.apache.logging.log4j', 'log4j-core', log4jVersion)}
${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', log4jVersion)}
</dependencies></project>`;

/** The folder of the jars; downloads them where they are not there. Rejects with what to install. */
export async function kafkaArtifacts(): Promise<string> {
  const cache = path.join(homedir(), '.cache', 'cool-mint');
  const folder = path.join(cache, `kafka-${kafkaVersion}`);
  if ((await readdir(folder).catch(() => [])).length > 0) return folder;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'download-'));
  try {
    await writeFile(path.join(work, 'pom.xml'), pom);
    const arguments_ = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs', '-DincludeScope=runtime'];
    const maven = spawn('mvn', arguments_, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(maven, 'exit').catch(() => {
      throw new Error('mvn is not installed; the suites that need Kafka download it from Maven');
    });
    if (code !== 0) throw new Error(`mvn could not download Kafka ${kafkaVersion} (exit ${code})`);
    // Another run may have been faster.
    await rename(path.join(work, 'libs'), folder).catch(() => undefined);
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
