/**
 * OpenAPI 3.1 from the same schemas that check requests, at /api/openapi.json; to read and try, at /api/docs. It is of the
 * whole interface, whichever part of it a process serves: behind a gateway it is one.
 */
import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyBaseLogger } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { type App, createApp, type KnownRoute } from '#shared/http/app.ts';

export interface InterfaceDescription {
  readonly document: ReturnType<App['swagger']>;
  readonly routes: readonly KnownRoute[];
}

/** Of all that `addRoutes` adds to an app; this one is never asked anything. */
export async function describeInterface(
  version: string,
  logger: FastifyBaseLogger,
  addRoutes: (app: App) => void,
): Promise<InterfaceDescription> {
  const verifyToken = () => Promise.reject(new Error('this app answers nobody'));
  const app = createApp({ verifyToken, logger });
  const routes: KnownRoute[] = [];
  app.addHook('onRoute', ({ method, url }) => void routes.push({ method, url }));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Cool Mint',
        version,
        description:
          'Activities, selections, sync runs, audit and replay. Errors are RFC 9457 problems; positions make reads see your own writes.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
  });
  addRoutes(app);
  await app.ready();
  const document = app.swagger();
  await app.close();
  return { document, routes };
}

/** The description itself holds nothing of any tenant: anybody may read it. */
export async function addApiDocs(app: App, document: InterfaceDescription['document']): Promise<void> {
  app.route({
    method: 'GET',
    url: '/api/openapi.json',
    config: { public: true },
    schema: { hide: true },
    handler: async () => document,
  });
  await app.register(async (scoped) => {
    const specification = { document } as StaticDocumentSpec;
    await scoped.register(swagger, { mode: 'static', specification });
    scoped.addHook('onRoute', (route) => {
      route.config = { ...route.config, public: true };
    });
    await scoped.register(swaggerUi, { routePrefix: '/api/docs', uiConfig: { docExpansion: 'list' } });
  });
}
