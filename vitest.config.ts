import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{command-service,projector,query-service,shared,cli,e2e,scripts,bench}/**/*.test.ts'],
    globalSetup: ['shared/testing/postgres-server.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
