/** OpenAPI 3.1 from the same schemas that check requests, at /api/openapi.json; to read and try, at /api/docs. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { App } from '#shared/http/app.ts';

/** To be registered before the routes it describes. */
export async function addApiDescription(app: App, version: string): Promise<void> {
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
}

/** The description itself holds nothing of any tenant: anybody may read it. */
export async function addApiDocs(app: App): Promise<void> {
  app.route({
    method: 'GET',
    url: '/api/openapi.json',
    config: { public: true },
    schema: { hide: true },
    handler: async () => app.swagger(),
  });
  await app.register(async (scoped) => {
    scoped.addHook('onRoute', (route) => {
      route.config = { ...route.config, public: true };
    });
    await scoped.register(swaggerUi, { routePrefix: '/api/docs', uiConfig: { docExpansion: 'list' } });
  });
}
