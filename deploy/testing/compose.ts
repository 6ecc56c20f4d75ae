/** Compose files as data, put together as Compose does where several are given. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { projectRoot } from './project-root.ts';

export interface ComposeService {
  readonly image?: string;
  readonly build?: string;
  readonly profiles?: readonly string[];
  readonly platform?: string;
  readonly user?: string;
  readonly depends_on?: Readonly<Record<string, unknown>> | readonly string[];
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources?: { readonly limits?: { readonly memory?: string } };
  };
}

export interface ComposeFile {
  readonly name?: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks?: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

export type ComposeName = 'docker-compose.yml' | 'docker-compose.dev.yml' | 'docker-compose.production.yml';

export async function readCompose(name: ComposeName): Promise<ComposeFile> {
  return parse(await readFile(path.join(projectRoot, name), 'utf8'), { merge: true }) as ComposeFile;
}

type Value = unknown;
const isMap = (value: Value): value is Record<string, Value> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A command takes the place of the one before, a volume that of the one at the same place; other lists are joined. */
function merged(before: Value, after: Value, key = ''): Value {
  if (before === undefined || after === undefined) return after ?? before;
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return Object.fromEntries([...keys].map((each) => [each, merged(before[each], after[each], each)]));
  }
  if (!Array.isArray(before) || !Array.isArray(after) || ['command', 'entrypoint', 'test'].includes(key)) return after;
  if (key !== 'volumes') return [...new Set([...before, ...after])];
  const targetOf = (volume: string) => volume.split(':')[1];
  return [...before.filter((one) => !after.some((other) => targetOf(other) === targetOf(one))), ...after];
}

/** `${NAME:-default}` and `$$`, where nothing is set. */
const interpolated = (text: string) => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1').replaceAll('$$', '$');

function everyText(value: Value): Value {
  if (typeof value === 'string') return interpolated(value);
  if (Array.isArray(value)) return value.map(everyText);
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, everyText(each)])) : value;
}

export async function composed(...names: readonly ComposeName[]): Promise<ComposeFile> {
  const files = await Promise.all(names.map(readCompose));
  return everyText(files.reduce<Value>((before, file) => merged(before, file), {})) as ComposeFile;
}
