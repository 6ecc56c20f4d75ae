/** Kubernetes manifests, and the published schemas of what they are (npm packages kubernetes-models and @kubernetes-models/keda). */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { projectRoot } from './project-root.ts';

// biome-ignore lint/suspicious/noExplicitAny: a manifest is looked at as the plain YAML it is, after its schema was asked
export type Manifest = any;

export const folder = path.join(projectRoot, 'deploy', 'kubernetes');

/** Of a file in deploy/. */
export async function manifestsOf(file: string): Promise<Manifest[]> {
  return parseAllDocuments(await readFile(path.join(projectRoot, 'deploy', file), 'utf8')).map((document) =>
    document.toJS(),
  );
}

interface ModelClass {
  readonly prototype: { validate(): void };
}

async function modelOf({ apiVersion, kind }: Manifest): Promise<ModelClass> {
  const keda = apiVersion.startsWith('keda.sh/');
  const module = await import(`${keda ? '@kubernetes-models/keda' : 'kubernetes-models'}/${apiVersion}/${kind}`);
  return module[kind] as ModelClass;
}

/**
 * A copy that notes what is read of it. The validators let unknown fields pass, as they must for versions to come; but they
 * read every field that they know, so a field that none of them has read is misspelt.
 */
function watched(value: unknown, at: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, watched(each, `${at}/${key}`, unread)]),
  );
  const target = Array.isArray(value) ? Object.values(copy) : copy;
  if (!Array.isArray(value)) for (const key of Object.keys(copy)) unread.add(`${at}/${key}`);
  return new Proxy(target, {
    get(of, key) {
      unread.delete(`${at}/${String(key)}`);
      return Reflect.get(of, key);
    },
  });
}

/** What is wrong with it; empty where it is valid. */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const Model = await modelOf(manifest);
  const unread = new Set<string>();
  const wrong: string[] = [];
  try {
    Model.prototype.validate.call(watched(manifest, manifest.kind, unread));
  } catch (error) {
    wrong.push((error as Error).message);
  }
  return [...wrong, ...[...unread].map((field) => `${field} is not known`)];
}
