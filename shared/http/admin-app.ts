/** Health and metrics, on a port of their own that is not meant for the world. */
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { registry } from '#shared/telemetry/registry.ts';

export interface Health {
  /** What does not tick any more; empty while all loops do. */
  dead(): readonly string[];
  /** Not all of it has begun its work yet; what goes wrong later, or cannot pass by itself, does not count. */
  starting(): boolean;
  /** What is missing before requests can be answered; empty when ready. */
  missing(): Promise<readonly string[]>;
}

export function createAdminApp(health: Health, logger: FastifyBaseLogger): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.get('/health/live', async (_request, reply) => {
    const dead = health.dead();
    return reply.status(dead.length === 0 ? 200 : 503).send({ status: dead.length === 0 ? 'live' : 'dead', dead });
  });
  app.get('/health/ready', async (_request, reply) => {
    const missing = await health.missing();
    return reply
      .status(missing.length === 0 ? 200 : 503)
      .send({ status: missing.length === 0 ? 'ready' : 'waiting', missing });
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  return app;
}
