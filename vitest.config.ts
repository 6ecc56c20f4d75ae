import { configDefaults, defineConfig } from 'vitest/config';

/** What is shown on EventStoreDB: the adapter, its double, and the paths of the e2e suites, on that event log. */
const onEventStore = [
  'shared/event-log/*eventstoredb*.test.ts',
  'shared/testing/eventstoredb/**/*.test.ts',
  'e2e/eventstoredb/**/*.test.ts',
];
/** What needs servers of its own: a broker, a Redis, a storage that speaks S3. */
const distributed = ['e2e/distributed/**/*.test.ts', '{shared,query-service,e2e}/**/*.{redis,s3}.test.ts'];
const onEveryLog = ['oracle', 'audit-story', 'real-files', 'read-your-writes', 'backup'].map(
  (name) => `e2e/${name}.test.ts`,
);
/** What takes the services as they are deployed: the image, and a real nginx in front of processes. */
const deployment = ['deploy/{dockerfile,pgbouncer}.test.ts', 'e2e/gateway/**/*.test.ts'];
/** What is shown on the services as processes behind a real nginx, too. */
const behindGateway = [
  'http',
  'http-parts',
  'hostile-input',
  'oracle',
  'audit-story',
  'real-files',
  'read-your-writes',
];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'main',
          include: [
            '{command-service,projector,query-service,shared,cli,e2e,scripts,bench,deploy,observability}/**/*.test.ts',
          ],
          exclude: [...configDefaults.exclude, ...onEventStore, ...distributed, ...deployment],
          globalSetup: ['shared/testing/postgres-server.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'eventstoredb',
          include: [...onEventStore, ...onEveryLog],
          globalSetup: ['shared/testing/postgres-server.ts', 'shared/testing/eventstore-server.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'distributed',
          include: [
            ...distributed,
            ...['oracle', 'audit-story', 'read-your-writes'].map((name) => `e2e/${name}.test.ts`),
          ],
          globalSetup: ['postgres', 'eventstore', 'kafka'].map((name) => `shared/testing/${name}-server.ts`),
          // The client has a timer that is negative for a moment, and says so once.
          execArgv: ['--disable-warning=TimeoutNegativeWarning'],
        },
      },
      {
        extends: true,
        test: {
          name: 'deployment',
          include: [...deployment, ...behindGateway.map((name) => `e2e/${name}.test.ts`)],
          globalSetup: ['shared/testing/postgres-server.ts'],
          provide: { gateway: true },
        },
      },
    ],
  },
});
