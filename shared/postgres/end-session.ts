/** The end of a session with a Postgres that may have fallen silent: nobody waits for its last word. */
import type { Client, ClientBase } from 'pg';

const patienceMilliseconds = 2_000;

/** Cuts the connection at once; whoever asks something on it is told. */
export function cutConnection(client: ClientBase): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

/** Never rejects. */
export async function endSession(client: Client): Promise<void> {
  const cut = setTimeout(() => cutConnection(client), patienceMilliseconds);
  await client.end().catch(() => undefined);
  clearTimeout(cut);
}
