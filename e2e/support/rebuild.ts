import { setTimeout as wait } from 'node:timers/promises';
import type { Api, Json } from './api.ts';

/** Rebuilds a projection by its HTTP command and waits for the end, which must be completion. */
export async function rebuild(api: Api, projection: string): Promise<Json> {
  const started = await api.ok(api.post(`/projections/${projection}/rebuilds`, { reason: 'a test' }), 202);
  const path = started.headers.get('location') as string;
  for (;;) {
    const { body } = await api.ok(
      api.get(path, { 'Cool-Mint-Min-Position': started.position, Prefer: 'wait=30' }),
      200,
    );
    if (body.status === 'completed') return body;
    if (body.status !== 'running') throw new Error(`the rebuild is ${body.status}: ${body.error}`);
    await wait(20);
  }
}
