/**
 * The compose files, held to reality without a container engine: the specification's schema, the settings that the services
 * read, and the files, ports and addresses that they name.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { settingNames } from '#cli/doctor/environment.ts';
import { startConfig, startSettings } from '#cli/start/config.ts';
import { services as serviceNames } from '#cli/start/roles.ts';
import { issuerFiles } from '#shared/access/local-issuer.ts';
import { type ComposeFile, type ComposeName, type ComposeService, composed, readCompose } from './testing/compose.ts';
import { allOf, environmentOf, parseDockerfile, type Stage } from './testing/dockerfile.ts';
import { projectRoot } from './testing/project-root.ts';

const read = (file: string) => readFile(path.join(projectRoot, file), 'utf8');
const image = parseDockerfile(await read('Dockerfile')).at(-1) as Stage;
const imageEnvironment = environmentOf(image);
const { version } = JSON.parse(await read('package.json')) as { version: string };

const variants: Readonly<Record<string, readonly ComposeName[]>> = {
  plain: ['docker-compose.yml'],
  development: ['docker-compose.yml', 'docker-compose.dev.yml'],
  production: ['docker-compose.yml', 'docker-compose.production.yml'],
};
const files = Object.fromEntries(
  await Promise.all(Object.entries(variants).map(async ([name, list]) => [name, await composed(...list)] as const)),
) as Record<'plain' | 'development' | 'production', ComposeFile>;

const service = (file: ComposeFile, name: string): ComposeService => {
  const found = file.services[name];
  if (!found) throw new Error(`there is no service ${name}`);
  return found;
};
const ours = (file: ComposeFile) => serviceNames.map((name) => [name, service(file, name)] as const);
/** Verbs in containers of their own, in the same image. */
const verbs = (file: ComposeFile) => ['cool-mint', 'backup'].map((name) => [name, service(file, name)] as const);
const theirs = (file: ComposeFile) =>
  Object.entries(file.services).filter(([name]) => ![...ours(file), ...verbs(file)].some(([own]) => own === name));

/** What OpenTelemetry and the SDK of S3 read themselves (shared/telemetry/start.ts, shared/backup/s3/config.ts). */
const readByOthers = /^(OTEL_EXPORTER_OTLP_ENDPOINT|OTEL_SERVICE_NAME|AWS_[A-Z_]+)$/;

/** The schema of the Compose specification, as the npm package dclint carries it. */
const schema = JSON.parse(await read('node_modules/dclint/schemas/compose.schema.json'));
const isCompose = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile({
  ...schema,
  $schema: 'http://json-schema.org/draft-07/schema#',
});

describe('by the schema of the Compose specification', () => {
  test.each(['docker-compose.yml', 'docker-compose.dev.yml', 'docker-compose.production.yml'] as const)(
    '%s is valid',
    async (name) => {
      isCompose(await readCompose(name));
      expect(isCompose.errors).toBeNull();
    },
  );

  test.each(Object.entries(files))('%s, put together, is valid', (_name, file) => {
    isCompose(file);
    expect(isCompose.errors).toBeNull();
  });

  test('what it does not know is refused', () => {
    expect(isCompose({ services: { a: { image: 'b', healtcheck: {} } } })).toBe(false);
    expect(isCompose({ services: { a: { image: 'b', restart: 7 } } })).toBe(false);
  });
});

describe.each(Object.entries(files))('the services (%s)', (name, file) => {
  test('are those that there are, in one image of this version, and start as what they are', () => {
    for (const [each, { build, image: tag, command }] of [...ours(file), ...verbs(file)]) {
      expect([each, build, tag]).toEqual([each, '.', `cool-mint:${version}`]);
      if (serviceNames.includes(each as never)) expect(command?.at(-1)).toBe(each);
    }
  });

  test('are given no setting that they do not read', () => {
    for (const [each, { environment = {} }] of [...ours(file), ...verbs(file)])
      for (const variable of Object.keys(environment))
        expect(settingNames.includes(variable) || readByOthers.test(variable), `${each}: ${variable}`).toBe(true);
  });

  test('start with what they are given', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-secrets-'));
    for (const secret of Object.keys(file.secrets ?? {})) await writeFile(path.join(folder, secret), 'x://host\n');
    for (const [, { environment = {} }] of [...ours(file), ...verbs(file)]) {
      const env = Object.entries({ ...imageEnvironment, ...environment }).map(([variable, value]) => [
        variable,
        value.replace('/run/secrets', folder),
      ]);
      const config = startConfig(Object.fromEntries(env));
      for (const needed of [
        'DATABASE_URL',
        'DATABASE_DIRECT_URL',
        'EVENTSTORE_URL',
        'KAFKA_BROKERS',
        'REDIS_URL',
      ] as const)
        expect(config[needed], needed).toBeTruthy();
      expect([config.HOST, config.PORT, config.ADMIN_PORT, config.DEMO]).toEqual(['0.0.0.0', 3000, 3001, 'off']);
    }
    await rm(folder, { recursive: true });
  });

  test('may do no more than they need, and end in time', () => {
    for (const [each, one] of [...ours(file), ...verbs(file)])
      expect([each, one]).toEqual([
        each,
        expect.objectContaining({ read_only: true, cap_drop: ['ALL'], tmpfs: ['/tmp'] }),
      ]);
    for (const [each, { stop_grace_period: time }] of ours(file)) expect([each, time]).toEqual([each, '30s']);
    // Tools of development are as they come.
    for (const [each, one] of theirs(file).filter(([each]) => name !== 'development' || each in files.plain.services))
      expect([each, one]).toEqual([
        each,
        expect.objectContaining({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }),
      ]);
  });

  test('that back up, or are verbs, can write their backups, and the key only where a restore brings it', () => {
    const [tool, backup] = [service(file, 'cool-mint'), service(file, 'backup')];
    expect([tool.volumes, backup.volumes]).toEqual([
      ['keys:/data', 'backups:/backups'],
      ['keys:/data:ro', 'backups:/backups'],
    ]);
    expect(allOf(image, 'RUN')).toContain('install -d -o node -g node -m 0700 /backups');
    expect(backup.command).toEqual(['backup', '--to', '/backups', '--every', '1h']);
    for (const { environment = {} } of [tool, backup])
      for (const variable of ['BACKUP_S3_ENDPOINT', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
        expect(environment).toHaveProperty([variable]);
    // It is for whoever looks at what does not run.
    expect([tool.depends_on, tool.restart, tool.healthcheck]).toEqual([undefined, undefined, { disable: true }]);
  });

  test('are found by the verbs: the gateway by the port that is not published, health at each of them', async () => {
    for (const each of ['cool-mint', 'command-service']) {
      const { environment = {}, networks } = service(file, each);
      const [, port] = /listen (\d+);/.exec(await read('deploy/nginx/inside.conf')) ?? [];
      expect(environment['MINT_URL']).toBe(`http://gateway:${port}`);
      expect(environment['MINT_ADMIN_URL']?.split(',')).toEqual(
        serviceNames.map((name) => `http://${name}:${imageEnvironment['ADMIN_PORT']}`),
      );
      expect(environment['MINT_SIGN']).toBe('on');
      for (const network of ['edge', 'data']) expect(networks).toContain(network);
    }
    expect(service(file, 'gateway').ports?.join()).not.toMatch(/:8081$/);
  });

  test('need nothing of the machine but the project: what reads more is started by a profile only', () => {
    for (const [each, { profiles, volumes = [] }] of Object.entries(file.services))
      if (profiles === undefined) expect([each, volumes.filter((volume) => /^[/$]/.test(volume))]).toEqual([each, []]);
    for (const each of ['node-exporter', 'log-reader']) expect(service(file, each).profiles).toEqual(['machine']);
    expect(service(file, 'eventstore').platform).toBe('linux/amd64');
  });

  test('and everything else write logs that end', () => {
    for (const [each, { logging }] of Object.entries(file.services).filter(([each]) => each in files.plain.services))
      expect([each, logging?.options]).toEqual([each, { 'max-size': '10m', 'max-file': '3', tag: '{{.Name}}' }]);
  });

  test('the command service makes the keys; the query service is another user, who waits for them and reads the public one', () => {
    const dataDir = imageEnvironment['DATA_DIR'] as string;
    expect(allOf(image, 'VOLUME')).toEqual([dataDir]);
    const [signs, checks] = [service(file, 'command-service'), service(file, 'query-service')];
    expect([signs.user, signs.volumes]).toEqual([undefined, expect.arrayContaining([`keys:${dataDir}`])]);
    expect(signs.environment).not.toHaveProperty('AUTH_PUBLIC_KEY_FILE');
    expect(checks.volumes).toContain(`keys:${dataDir}:ro`);
    // Neither the user nor the group `node` (1000), whose the private key is; nor root.
    expect(checks.user).toMatch(/^(?!0|1000)\d+:(?!0|1000)\d+$/);
    expect(checks.environment?.['AUTH_PUBLIC_KEY_FILE']).toBe(issuerFiles(dataDir).publicKey);
    expect(checks.depends_on).toEqual({ ...signs.depends_on, 'command-service': { condition: 'service_healthy' } });
    // The folder may be passed through, and not be listed or written to.
    expect(allOf(image, 'RUN')).toContain(`install -d -o node -g node -m 0711 ${dataDir}`);
  });

  test('and all that is beside them have a version, start again, and tell how they are', () => {
    for (const [each, one] of theirs(file)) {
      expect(one.image, each).toMatch(/^[a-z0-9/-]+:v?\d[\w.-]*$/);
      if (name === 'development' && /^pgadmin$|-ui$/.test(each)) continue;
      expect(one.restart, each).toMatch(name === 'production' ? /^always$/ : /^unless-stopped$/);
      // These images have no program that could ask.
      if (!['otel-collector', 'log-reader', 'tempo', 'loki', 'gateway-exporter'].includes(each))
        expect(one.healthcheck?.test?.length, each).toBeGreaterThan(1);
    }
  });

  test('every volume, network and secret that is used is there, and the other way round', () => {
    const used = (kind: 'networks' | 'volumes' | 'secrets') =>
      new Set(
        Object.values(file.services).flatMap((one) =>
          (one[kind] ?? [])
            .map((text) => (kind === 'volumes' ? (text.split(':')[0] as string) : text))
            .filter((text) => !/^[./]/.test(text)),
        ),
      );
    for (const kind of ['networks', 'volumes', 'secrets'] as const)
      expect([...used(kind)].sort(), kind).toEqual(Object.keys(file[kind] ?? {}).sort());
  });

  test('every file that is mounted is part of the project', () => {
    for (const [each, { volumes = [] }] of Object.entries(file.services))
      for (const source of volumes.map((text) => text.split(':')[0] as string).filter((text) => text.startsWith('./')))
        expect(existsSync(path.join(projectRoot, source)), `${each}: ${source}`).toBe(true);
  });
});

test('every setting is in the image, in the compose file, or left as it is for a reason', () => {
  const left = {
    KAFKA_PARTITIONS: 'as many as there are by default',
    KAFKA_RETENTION_HOURS: 'a week',
    KAFKA_REPLICATION_FACTOR: 'as the broker is set up',
    KAFKA_TLS: 'the network of the servers is closed',
    KAFKA_TLS_CA_FILE: 'the same',
    KAFKA_SASL_MECHANISM: 'the same',
    KAFKA_SASL_USERNAME: 'the same',
    KAFKA_SASL_PASSWORD_FILE: 'the same',
    REDIS_TLS_CA_FILE: 'the same',
    EVENTSTORE_STREAM_PREFIX: 'the server is ours alone',
    DEMO_ACTIVITIES: 'there is no demo data',
  };
  const set = new Set([
    ...Object.keys(imageEnvironment),
    ...ours(files.plain).flatMap(([, { environment = {} }]) => Object.keys(environment)),
  ]);
  expect(
    Object.keys(startSettings.shape)
      .filter((name) => !set.has(name))
      .sort(),
  ).toEqual(Object.keys(left).sort());
});

describe('from outside', () => {
  test.each(['plain', 'production'] as const)(
    'only the gateway is to be had (%s), and Grafana on the machine itself',
    (name) => {
      const published = Object.entries(files[name].services).filter(([, { ports }]) => ports);
      expect(published.map(([each]) => each).sort()).toEqual(['gateway', 'grafana']);
      for (const port of service(files[name], 'grafana').ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    },
  );

  test.each(['plain', 'production'] as const)(
    'no way leads to the servers (%s): theirs is a network without one, and the gateway is not in it',
    (name) => {
      const { networks = {} } = files[name];
      for (const each of ['postgres', 'pgbouncer', 'eventstore', 'kafka', 'redis'])
        expect(service(files[name], each).networks).toEqual(['data']);
      expect([networks['data']?.internal, networks['telemetry']?.internal]).toEqual([true, true]);
      expect(service(files[name], 'gateway').networks).toEqual(['edge']);
    },
  );

  test('what development publishes is to be had on the machine itself only, but the gateway', () => {
    for (const [each, { ports = [] }] of Object.entries(files.development.services))
      if (each !== 'gateway')
        for (const port of ports) expect([each, port]).toEqual([each, expect.stringMatching(/^127\.0\.0\.1:/)]);
    const taken = Object.values(files.development.services).flatMap(({ ports = [] }) =>
      ports.map((port) => port.split(':').at(-2)),
    );
    expect(new Set(taken).size).toBe(taken.length);
  });
});

describe('addresses', () => {
  const { plain } = files;
  const [{ environment: settings = {} }] = [service(plain, 'command-service')];

  test('of the gateway are those of the services, at the port of the image, and its own are those published', async () => {
    const upstreams = await read('deploy/nginx/upstreams.conf');
    expect([...upstreams.matchAll(/server (\S+) resolve/g)].map(([, address]) => address)).toEqual([
      `command-service:${imageEnvironment['PORT']}`,
      `query-service:${imageEnvironment['PORT']}`,
    ]);
    const listens = async (file: string) => [...(await read(file)).matchAll(/listen (\d+)/g)].map(([, port]) => port);
    const inside = (file: ComposeFile) => service(file, 'gateway').ports?.map((port) => port.split(':').at(-1));
    expect(inside(plain)).toEqual(await listens('deploy/nginx/server.conf'));
    expect(inside(files.production)).toEqual(await listens('deploy/nginx/server-tls.conf'));
    const health = /http:\/\/127\.0\.0\.1:(\d+)(\S+)$/.exec(service(plain, 'gateway').healthcheck?.test?.at(-1) ?? '');
    expect(await listens('deploy/nginx/server.conf')).toContain(health?.[1]);
    for (const file of ['routes.conf', 'server-tls.conf'])
      expect(await read(`deploy/nginx/${file}`)).toContain(`location = ${health?.[2]} {`);
    expect(service(plain, 'gateway').volumes).toEqual(['./deploy/nginx:/etc/nginx/gateway:ro']);
    expect(service(plain, 'gateway').command).toContain('/etc/nginx/gateway/nginx.conf');
  });

  test('of databases lead through PgBouncer to Postgres, and past it where a session is needed', async () => {
    const ini = await read('deploy/pgbouncer/pgbouncer.ini');
    const pooled = new URL(settings['DATABASE_URL'] as string);
    const direct = new URL(settings['DATABASE_DIRECT_URL'] as string);
    expect([pooled.hostname, pooled.port]).toEqual(['pgbouncer', /^listen_port = (\d+)$/m.exec(ini)?.[1]]);
    expect([direct.hostname, direct.port, direct.pathname]).toEqual(['postgres', '5432', pooled.pathname]);
    expect(ini).toContain(
      `${pooled.pathname.slice(1)} = host=${direct.hostname} port=${direct.port} dbname=${direct.pathname.slice(1)}`,
    );
    expect(ini).toMatch(/^pool_mode = transaction$/m);
    expect(service(plain, 'postgres').environment).toEqual({
      POSTGRES_USER: pooled.username,
      POSTGRES_DB: pooled.pathname.slice(1),
      POSTGRES_PASSWORD: pooled.password,
    });
  });

  test('of the other servers are services at the ports that they listen on', () => {
    const kafka = service(plain, 'kafka').environment ?? {};
    expect(kafka['KAFKA_ADVERTISED_LISTENERS']).toBe(`PLAINTEXT://${settings['KAFKA_BROKERS']}`);
    expect(new URL(settings['REDIS_URL'] as string).host).toBe('redis:6379');
    expect(settings['EVENTSTORE_URL']).toBe('esdb://eventstore:2113?tls=false');
    expect(service(plain, 'eventstore').environment).toMatchObject({ EVENTSTORE_INSECURE: 'true' });
    for (const each of ['kafka', 'redis', 'eventstore']) expect(plain.services).toHaveProperty(each);
  });

  test('of telemetry lead from the services to the collector, and from there to the stores; Prometheus asks the admin ports', async () => {
    const yaml = async (file: string) => parse(await read(`observability/${file}`));
    const [collector, reader, tempo, loki, prometheus] = await Promise.all(
      [
        'otel-collector/config.yaml',
        'log-reader/config.yaml',
        'tempo/tempo.yaml',
        'loki/loki.yaml',
        'prometheus/prometheus.yml',
      ].map(yaml),
    );
    const portOf = (address: string) => address.split(':').at(-1);
    expect(settings['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe(
      `http://otel-collector:${portOf(collector.receivers.otlp.protocols.http.endpoint)}`,
    );
    expect(collector.exporters['otlp/tempo'].endpoint).toBe(
      `tempo:${portOf(tempo.distributor.receivers.otlp.protocols.grpc.endpoint)}`,
    );
    expect(reader.exporters['otlphttp/loki'].endpoint).toBe(`http://loki:${loki.server.http_listen_port}/otlp`);
    const asked = prometheus.scrape_configs.flatMap(
      (job: { dns_sd_configs?: { names: string[]; port: number }[] }) => job.dns_sd_configs ?? [],
    );
    for (const each of [...serviceNames, 'backup'])
      expect(asked).toContainEqual(
        expect.objectContaining({ names: [each], port: Number(imageEnvironment['ADMIN_PORT']) }),
      );
    // What a profile starts may not be there, and is then no target that is down.
    const fixed = prometheus.scrape_configs.flatMap((job: { static_configs?: { targets: string[] }[] }) =>
      (job.static_configs ?? []).flatMap(({ targets }) => targets),
    );
    for (const target of fixed.filter((each: string) => !each.startsWith('localhost')))
      expect(service(plain, target.split(':')[0]).profiles, target).toBeUndefined();
    expect(service(plain, 'gateway-exporter').command).toEqual([
      expect.stringMatching(/^--nginx\.scrape-uri=http:\/\/gateway:8081\/gateway\/connections$/),
    ]);
    expect(await read('deploy/nginx/inside.conf')).toContain('location = /gateway/connections {');
    const mounted = {
      'otel-collector': ['/etc/otel-collector', 'config.yaml'],
      'log-reader': ['/etc/log-reader', 'config.yaml'],
      tempo: ['/etc/tempo', 'tempo.yaml'],
      loki: ['/etc/loki', 'loki.yaml'],
      prometheus: ['/etc/prometheus', 'prometheus.yml'],
    };
    for (const [each, [folder, file]] of Object.entries(mounted)) {
      expect(service(plain, each).volumes).toContain(`./observability/${each}:${folder}:ro`);
      expect(service(plain, each).command?.join(' ')).toContain(`${folder}/${file}`);
      expect(await readdir(path.join(projectRoot, 'observability', each))).toContain(file);
    }
  });
});

test('development starts the services with sources that are mounted, by a command that there is', async () => {
  for (const [, { entrypoint = [], volumes = [] }] of ours(files.development)) {
    const [program, script, verb] = entrypoint;
    expect([program, verb]).toEqual(['node', 'dev']);
    expect(volumes).toContain(`./${path.dirname(script as string)}:/app/${path.dirname(script as string)}:ro`);
    expect(await read(script as string)).toContain('dev: (args) =>');
  }
});

test('images have tags that are known to be there (deploy/images.md), and no other is listed', async () => {
  const listed = [...(await read('deploy/images.md')).matchAll(/^\| `(\S+)` \|/gm)].map(([, tag]) => tag);
  const manifests = await readdir(path.join(projectRoot, 'deploy/kubernetes'));
  const texts = await Promise.all(manifests.map((file) => read(`deploy/kubernetes/${file}`)));
  const named = [
    ...parseDockerfile(await read('Dockerfile')).map(({ from }) => from),
    ...Object.values(files).flatMap((file) => theirs(file).map(([, one]) => one.image)),
    ...texts.flatMap((text) => [...text.matchAll(/^\s+image: (\S+:\S+)$/gm)].map(([, tag]) => tag)),
  ];
  expect([...new Set(named)].sort()).toEqual(listed.toSorted());
});

test('an upgrade names the services in their order: readers before whoever records', async () => {
  const told = await read('docs/upgrade.md');
  const order = ['projector', 'query-service', 'command-service'];
  expect([...told.matchAll(/^docker compose up --detach --no-deps --wait (\S+)$/gm)].map(([, each]) => each)).toEqual(
    order,
  );
  expect(told).toContain(`for service in ${order.join(' ')}; do`);
  expect(order.toSorted()).toEqual([...serviceNames].sort());
});

describe('production', () => {
  const { production } = files;

  test('has every secret in a file: no password is in the environment of anything', () => {
    for (const [each, { environment = {}, secrets = [] }] of Object.entries(production.services))
      for (const [name, value] of Object.entries(environment)) {
        if (/PASSWORD|^(DATABASE|DATABASE_DIRECT|EVENTSTORE|REDIS)_URL$/.test(name) && !/FILE$/.test(name))
          expect([each, name, value]).toEqual([each, name, '']);
        expect(value, `${each} ${name}`).not.toMatch(/:\/\/[^/]*:[^/]*@/);
        const secret = /^\/run\/secrets\/(.*)$/.exec(value)?.[1];
        if (secret) expect(secrets, `${each} ${name}`).toContain(secret);
      }
    for (const { file } of Object.values(production.secrets ?? {})) expect(file).toMatch(/^\.\/deploy\/secrets\//);
  });

  test('has limits for everything, and more than one of each service', () => {
    for (const [each, { deploy }] of Object.entries(production.services))
      expect(deploy?.resources?.limits?.memory, each).toMatch(/^\d+[mg]$/);
    for (const [, { deploy }] of ours(production)) expect(deploy?.replicas).toBeGreaterThan(1);
    for (const [, { deploy }] of verbs(production)) expect(deploy?.replicas).toBeUndefined();
  });

  test('serves with TLS', () => {
    const gateway = service(production, 'gateway');
    expect(gateway.volumes).toContain('./deploy/nginx/server-tls.conf:/etc/nginx/gateway/server.conf:ro');
    expect(gateway.secrets).toEqual(['tls_certificate', 'tls_key']);
  });
});
