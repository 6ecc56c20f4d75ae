import type { Pool } from 'pg';
import type { Command } from '#command-service/command.ts';

/** Written before the append, so that no event stands without its origin. Repeats change nothing. */
export async function recordOrigin(pool: Pool, command: Command): Promise<void> {
  await pool.query(
    `insert into command.request_origins (tenant, correlation_id, actor, actor_name, client_address, user_agent, at)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
    [
      command.tenant,
      command.correlationId,
      command.actor,
      command.origin.actorName,
      command.origin.clientAddress,
      command.origin.userAgent?.slice(0, 500) ?? null,
      command.now,
    ],
  );
}
