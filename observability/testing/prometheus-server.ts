/** A real Prometheus with the project's configuration and rules, asking the addresses that a test gives it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { freePort } from '#shared/runtime/free-port.ts';
import { type ServerProcess, startServer } from '#shared/testing/server-process.ts';

const folder = fileURLToPath(new URL('../prometheus/', import.meta.url));

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface PrometheusServer extends AsyncDisposable {
  readonly url: string;
  /** What an expression is now. */
  query(expr: string): Promise<readonly Series[]>;
  /** The `data` of an answer of its HTTP interface. */
  get<T>(path: string): Promise<T>;
}

/** host:port of those that a job asks; jobs that are not named are left out. */
export type Targets = Readonly<Record<string, readonly string[]>>;

interface ScrapeConfig {
  readonly job_name: string;
}

/** The configuration as it is, asking more often and elsewhere. */
async function configuration(targets: Targets): Promise<string> {
  const { scrape_configs: jobs, ...rest } = parse(await readFile(path.join(folder, 'prometheus.yml'), 'utf8')) as {
    scrape_configs: ScrapeConfig[];
  };
  const unknown = Object.keys(targets).filter((name) => !jobs.some((job) => job.job_name === name));
  if (unknown.length > 0) throw new Error(`prometheus.yml has no job ${unknown.join(', ')}`);
  return stringify({
    ...rest,
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [path.join(folder, 'rules/*.yml')],
    scrape_configs: jobs
      .filter((job) => job.job_name in targets)
      .map((job) => {
        const {
          dns_sd_configs: _dns,
          static_configs: _static,
          ...kept
        } = job as ScrapeConfig & Record<string, unknown>;
        return { ...kept, static_configs: [{ targets: targets[job.job_name] }] };
      }),
  });
}

export async function startPrometheus(targets: Targets): Promise<PrometheusServer> {
  const data = await mkdtemp(path.join(tmpdir(), 'cool-mint-prometheus-'));
  const file = path.join(data, 'prometheus.yml');
  await writeFile(file, await configuration(targets));
  const port = await freePort();
  let server: ServerProcess;
  try {
    server = await startServer({
      command: 'prometheus',
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${path.join(data, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
      ],
      ports: [port],
      hint: 'apt-get install prometheus',
    });
  } catch (error) {
    await rm(data, { recursive: true, force: true });
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  const get = async <T>(address: string): Promise<T> => {
    const answer = (await (await fetch(`${url}${address}`)).json()) as { data: T; error?: string };
    if (answer.error !== undefined) throw new Error(`${address}: ${answer.error}`);
    return answer.data;
  };
  return {
    url,
    get,
    query: async (expr) =>
      (await get<{ result: readonly Series[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(data, { recursive: true, force: true });
    },
  };
}
