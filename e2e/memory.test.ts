import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopLeftOverPostgres } from '#shared/postgres/embedded/start-embedded-postgres.ts';
import { longTests } from '#shared/testing/config.ts';
import { projectRoot, type ServiceProcess, startService, stopProcess } from './support/service-process.ts';

/** What a process used at its peak, in MiB, as the kernel tells. */
async function peak(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

const activities = longTests() ? 200_000 : 15_000;
let dataDir: string;
let service: ServiceProcess;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cool-mint-memory-'));
  service = startService(dataDir, { DEMO: 'off' });
  await service.ready;
}, 60_000);
afterAll(async () => {
  await stopProcess(service.child);
  await stopLeftOverPostgres({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

test.skipIf(!existsSync('/proc/self/status'))(
  `an import of ${activities} activities keeps every Node process under 512 MiB (LONG=on: 200,000; needs /proc)`,
  async () => {
    const client = spawn(
      process.execPath,
      ['cli/main.ts', 'demo', '--activities', String(activities), '--tenant', 'main', '--json'],
      {
        cwd: projectRoot,
        env: { ...process.env, DATA_DIR: dataDir },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let told = '';
    let clientPeak = 0;
    client.stdout.setEncoding('utf8').on('data', (text: string) => {
      told += text;
    });
    const sample = async () => {
      clientPeak = Math.max(clientPeak, await peak(client.pid as number));
      return client.exitCode;
    };
    await expect.poll(sample, { timeout: 900_000, interval: 200 }).toBe(0);
    const done = JSON.parse(told.trim().split('\n').at(-1) as string);
    expect(done).toMatchObject({ event: 'done', rejected: 0 });
    expect(done.recorded).toBeGreaterThan(activities);
    const servicePeak = await peak(service.child.pid as number);
    console.info(`peak resident memory: service ${Math.round(servicePeak)} MiB, client ${Math.round(clientPeak)} MiB`);
    expect(servicePeak).toBeGreaterThan(0);
    expect(servicePeak).toBeLessThan(512);
    expect(clientPeak).toBeLessThan(512);
  },
  960_000,
);
