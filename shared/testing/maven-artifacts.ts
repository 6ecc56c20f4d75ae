/**
 * Java programs that tests need, as they come from Maven: their jars, downloaded once and kept outside the project. Needs
 * `mvn`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

export interface Artifact {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  /** Another form of it, such as one with everything in it: then nothing else is downloaded. */
  readonly classifier?: string;
}

const dependency = ({ group, artifact, version, classifier }: Artifact) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${
    classifier
      ? `<classifier>${classifier}</classifier><exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`
      : ''
  }</dependency>`;

const pom = (artifacts: readonly Artifact[]) =>
  `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>cool-mint</groupId><artifactId>for-tests</artifactId><version>1</version><dependencies>
${artifacts.map(dependency).join('\n')}
</dependencies></project>`;

/** The folder of the jars; downloads them where they are not there. `name` is with the version. Rejects with what to install. */
export async function mavenArtifacts(name: string, artifacts: readonly Artifact[]): Promise<string> {
  const cache = path.join(homedir(), '.cache', 'cool-mint');
  const folder = path.join(cache, name);
  if ((await readdir(folder).catch(() => [])).length > 0) return folder;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'download-'));
  try {
    await writeFile(path.join(work, 'pom.xml'), pom(artifacts));
    const arguments_ = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs', '-DincludeScope=runtime'];
    const maven = spawn('mvn', arguments_, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(maven, 'exit').catch(() => {
      throw new Error(`mvn is not installed; the suites that need ${name} download it from Maven`);
    });
    if (code !== 0) throw new Error(`mvn could not download ${name} (exit ${code})`);
    // Another run may have been faster.
    await rename(path.join(work, 'libs'), folder).catch(() => undefined);
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
