/** The manifests for Kubernetes, held to the published schemas, and to the image and the services that they run. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { settingNames } from '#cli/doctor/environment.ts';
import { startConfig, startSettings } from '#cli/start/config.ts';
import { services as serviceNames } from '#cli/start/roles.ts';
import { issuerFiles } from '#shared/access/local-issuer.ts';
import { registry } from '#shared/telemetry/registry.ts';
import '#projector/metrics.ts';
import { composed } from './testing/compose.ts';
import { environmentOf, parseDockerfile, type Stage } from './testing/dockerfile.ts';
import { folder, type Manifest, manifestsOf, problemsOf } from './testing/kubernetes.ts';
import { projectRoot } from './testing/project-root.ts';

const read = (file: string) => readFile(path.join(projectRoot, file), 'utf8');
const base = parse(await read('deploy/kubernetes/kustomization.yaml'));
const gatewayFiles = parse(await read('deploy/nginx/kustomization.yaml')).configMapGenerator[0];
const image = environmentOf(parseDockerfile(await read('Dockerfile')).at(-1) as Stage);
const files = (base.resources as string[]).filter((each) => each.endsWith('.yaml'));
const manifests = (await Promise.all(files.map((file) => manifestsOf(`kubernetes/${file}`)))).flat();
const backups = (
  await Promise.all(['backup', 'restore'].map((name) => manifestsOf(`kubernetes-backup/${name}.yaml`)))
).flat();
const all = (kind: string): Manifest[] => manifests.filter((each) => each.kind === kind);
const named = (kind: string, name: string): Manifest => {
  const found = all(kind).find((each) => each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const containerOf = (name: string): Manifest => named('Deployment', name).spec.template.spec.containers[0];
const everyone = [...serviceNames, 'gateway'];

describe('by the published schemas', () => {
  test.each([...manifests, ...backups].map((each) => [`${each.kind} ${each.metadata.name}`, each] as const))(
    '%s is valid',
    async (_name, manifest) => {
      expect(await problemsOf(manifest)).toEqual([]);
    },
  );

  test('what is missing, of another type or misspelt is found', async () => {
    const broken = structuredClone(named('Deployment', 'projector'));
    broken.spec.replicas = 'two';
    broken.spec.template.spec.containers[0].readynessProbe = {};
    delete broken.spec.selector;
    const problems = (await problemsOf(broken)).join('\n');
    expect(problems).toMatch(/replicas must be integer/);
    expect(problems).toMatch(/selector/);
    expect(problems).toMatch(/containers\/0\/readynessProbe is not known/);
    const scaled = structuredClone(named('ScaledObject', 'projector'));
    scaled.spec.minReplicas = 2;
    expect(await problemsOf(scaled)).toEqual(['ScaledObject/spec/minReplicas is not known']);
  });
});

test('every file is part of the base, and every part is there', async () => {
  const known = ['kustomization.yaml', 'upstreams.conf', ...files];
  expect((await readdir(folder)).filter((file) => !known.includes(file))).toEqual(
    base.configMapGenerator[1].files.filter((file: string) => !known.includes(file)),
  );
  for (const resource of base.resources) expect(existsSync(path.join(folder, resource)), resource).toBe(true);
  for (const file of gatewayFiles.files)
    expect(existsSync(path.join(projectRoot, 'deploy', 'nginx', file)), file).toBe(true);
  // Every file of nginx that another one includes is in the ConfigMap.
  for (const file of gatewayFiles.files)
    for (const [, included] of (await read(`deploy/nginx/${file}`)).matchAll(/^\s*include (\S+);$/gm))
      expect(gatewayFiles.files).toContain(included);
});

describe.each(everyone)('%s', (name) => {
  const { template, selector } = named('Deployment', name).spec;
  const container = containerOf(name);

  test('is found by its labels, and survives that a node is emptied', () => {
    for (const labels of [
      selector.matchLabels,
      named('PodDisruptionBudget', name).spec.selector.matchLabels,
      ...(name === 'projector' ? [] : [named('Service', name).spec.selector]),
    ])
      expect(template.metadata.labels).toMatchObject(labels);
    expect(named('PodDisruptionBudget', name).spec.maxUnavailable).toBe(1);
    const lowest =
      name === 'gateway'
        ? named('Deployment', name).spec.replicas
        : name === 'projector'
          ? named('ScaledObject', name).spec.minReplicaCount
          : named('HorizontalPodAutoscaler', name).spec.minReplicas;
    expect(lowest).toBeGreaterThan(1);
    // Where something scales it, the manifest does not.
    expect(named('Deployment', name).spec.replicas === undefined).toBe(name !== 'gateway');
  });

  test('is spread over nodes', () => {
    expect(template.spec.topologySpreadConstraints[0]).toMatchObject({
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: selector.matchLabels },
    });
  });

  test('may do no more than it needs', () => {
    expect(template.spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.limits.memory).toMatch(/Mi$/);
  });

  test('has its volumes, ports and probes', () => {
    expect(container.volumeMounts.map((each: Manifest) => each.name).sort()).toEqual(
      template.spec.volumes.map((each: Manifest) => each.name).sort(),
    );
    const ports = container.ports.map((each: Manifest) => each.name);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe].filter(Boolean);
    expect(probes.length).toBeGreaterThan(1);
    for (const { httpGet } of probes) expect(ports).toContain(httpGet.port);
    if (name !== 'projector')
      for (const { targetPort } of named('Service', name).spec.ports) expect(ports).toContain(targetPort);
  });
});

describe.each(serviceNames)('%s', (name) => {
  const container = containerOf(name);

  test('runs in the image of this version, as what it is, with probes that it answers', async () => {
    const { version } = JSON.parse(await read('package.json'));
    expect([container.image, container.args]).toEqual(['cool-mint', ['start', name]]);
    expect(base.images).toEqual([{ name: 'cool-mint', newTag: version }]);
    const ports = Object.fromEntries(container.ports.map((each: Manifest) => [each.name, String(each.containerPort)]));
    expect(ports).toEqual({ admin: image['ADMIN_PORT'], ...(name === 'projector' ? {} : { http: image['PORT'] }) });
    const adminApp = await read('shared/http/admin-app.ts');
    for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
      expect(adminApp).toContain(`app.get('${probe.httpGet.path}'`);
    const { annotations } = named('Deployment', name).spec.template.metadata;
    expect(annotations['prometheus.io/port']).toBe(image['ADMIN_PORT']);
    expect(adminApp).toContain(`app.get('${annotations['prometheus.io/path']}'`);
    expect(container.volumeMounts).toContainEqual({ name: 'data', mountPath: image['DATA_DIR'] });
  });

  test('is given settings that it reads, and addresses of servers from the secret', () => {
    const literals = base.configMapGenerator[0].literals.map((text: string) => text.split('=') as [string, string]);
    const given = [...literals, ...container.env.map((each: Manifest) => [each.name, each.value])];
    for (const [variable] of given)
      expect(settingNames.includes(variable) || /^OTEL_/.test(variable), variable).toBe(true);
    // No password is in an environment: the Secret is mounted, and settings name its files.
    expect(container.envFrom).toEqual([{ configMapRef: { name: base.configMapGenerator[0].name } }]);
    const { volumes } = named('Deployment', name).spec.template.spec;
    expect(volumes).toContainEqual({
      name: 'servers',
      secret: { secretName: 'cool-mint-servers', defaultMode: 0o440 },
    });
    const { mountPath } = container.volumeMounts.find((each: Manifest) => each.name === 'servers');
    const fromFiles = given.filter(([variable]) => /_FILE$/.test(variable) && !(variable in startSettings.shape));
    for (const [variable, file] of fromFiles) expect(file).toBe(`${mountPath}/${variable.replace(/_FILE$/, '')}`);
    const plain = given.filter((each) => !fromFiles.includes(each));
    expect(() => startConfig({ ...image, ...Object.fromEntries(plain) })).not.toThrow();
  });
});

test('every setting is in the image, in the manifests, or left as it is for a reason', () => {
  const left = {
    AUTH_JWKS_URL: 'an overlay adds it where there is an identity provider',
    KAFKA_TOPIC: 'as it is called; another one after a restore',
    KAFKA_PARTITIONS: 'as many as there are by default',
    KAFKA_RETENTION_HOURS: 'a week',
    KAFKA_TLS: 'an overlay says how the servers of the cluster are secured',
    KAFKA_TLS_CA_FILE: 'the same',
    KAFKA_SASL_MECHANISM: 'the same',
    KAFKA_SASL_USERNAME: 'the same',
    KAFKA_SASL_PASSWORD_FILE: 'the same',
    REDIS_TLS_CA_FILE: 'the same',
    EVENTSTORE_STREAM_PREFIX: 'an overlay, where the server is shared',
    DEMO_ACTIVITIES: 'there is no demo data',
  };
  const set = new Set([
    ...Object.keys(image),
    ...base.configMapGenerator[0].literals.map((text: string) => text.split('=')[0]),
    ...serviceNames.flatMap((name) => containerOf(name).env.map((each: Manifest) => each.name)),
  ]);
  expect(
    Object.keys(startSettings.shape)
      .filter((name) => !set.has(name) && !set.has(`${name}_FILE`))
      .sort(),
  ).toEqual(Object.keys(left).sort());
});

test('verbs in a pod of the command service find the gateway and the health of their own', async () => {
  const literals = Object.fromEntries(base.configMapGenerator[0].literals.map((text: string) => text.split('=')));
  const url = new URL(literals['MINT_URL']);
  const { ports } = named('Service', url.hostname).spec;
  expect(ports).toContainEqual({ name: 'inside', port: Number(url.port), targetPort: 'inside' });
  expect(containerOf('gateway').ports).toContainEqual({ name: 'inside', containerPort: Number(url.port) });
  expect(await read('deploy/nginx/inside.conf')).toContain(`listen ${url.port};`);
  expect(literals['MINT_ADMIN_URL']).toBe(`http://127.0.0.1:${image['ADMIN_PORT']}`);
  const { podSelector, ingress } = named('NetworkPolicy', 'gateway-from-inside').spec;
  expect(podSelector).toEqual({ matchLabels: { 'app.kubernetes.io/name': 'gateway' } });
  expect(ingress).toEqual([
    {
      from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'command-service' } } }],
      ports: [{ port: 'inside' }],
    },
  ]);
});

test('the gateway is asked for its connections beside it, and by what watches', async () => {
  const [, exporter] = named('Deployment', 'gateway').spec.template.spec.containers;
  const { services } = await composed('docker-compose.yml');
  expect(exporter.image).toBe(services['gateway-exporter']?.image);
  expect(exporter.args).toEqual([services['gateway-exporter']?.command?.[0]?.replace('gateway:', '127.0.0.1:')]);
  const { annotations } = named('Deployment', 'gateway').spec.template.metadata;
  expect(exporter.ports).toEqual([{ name: 'metrics', containerPort: Number(annotations['prometheus.io/port']) }]);
  expect(named('NetworkPolicy', 'gateway-from-monitoring').spec.ingress[0].ports).toEqual([{ port: 'metrics' }]);
});

describe('backups', () => {
  const specOf = (name: string) => backups.find((each) => each.metadata.name === name).spec;
  const podOf = (name: string) => specOf(name).jobTemplate.spec.template.spec;

  test('are made by the clock, one at a time; a restore only when somebody asks for it', () => {
    expect(specOf('backup')).toMatchObject({ concurrencyPolicy: 'Forbid', schedule: '7 * * * *' });
    expect(specOf('backup').suspend).toBeUndefined();
    expect(specOf('restore').suspend).toBe(true);
    expect(podOf('backup').containers[0].args).toEqual(['backup', '--to', '$(BACKUP_TO)', '--without-keys']);
    expect(podOf('restore').containers[0].args).toEqual(['restore', '--from', '$(BACKUP_TO)']);
  });

  test.each(['backup', 'restore'])('%s has what the services have, and may do no more', (name) => {
    const [job, service] = [podOf(name), named('Deployment', 'command-service').spec.template.spec];
    const [own, other] = [job.containers[0], service.containers[0]];
    expect(job.securityContext).toEqual(service.securityContext);
    expect([own.image, own.securityContext, own.envFrom]).toEqual([other.image, other.securityContext, other.envFrom]);
    expect(own.resources.limits).toEqual(other.resources.limits);
    for (const volume of ['tmp', 'data', 'servers']) {
      expect(job.volumes).toContainEqual(service.volumes.find((each: Manifest) => each.name === volume));
      expect(own.volumeMounts).toContainEqual(other.volumeMounts.find((each: Manifest) => each.name === volume));
    }
    expect(own.volumeMounts.map((each: Manifest) => each.name)).toEqual(job.volumes.map((each: Manifest) => each.name));
  });
});

const hasKubectl = (() => {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

// Not packaged by Debian in a version that knows components.
describe.runIf(hasKubectl)('what kustomize makes of it', () => {
  const rendered = async (folder: string): Promise<Manifest[]> => {
    const { stdout } = await promisify(execFile)('kubectl', ['kustomize', folder], { maxBuffer: 10_000_000 });
    return parseAllDocuments(stdout).map((document) => document.toJS());
  };
  const of = (all: readonly Manifest[], kind: string, name: RegExp): Manifest =>
    all.find((each) => each.kind === kind && name.test(each.metadata.name));

  test('are valid manifests, all in one namespace; the gateway has every file of nginx, and those that take the place of others', async () => {
    for (const folder of ['deploy/kubernetes', 'deploy/kubernetes-overlay']) {
      const all = await rendered(path.join(projectRoot, folder));
      for (const each of all) expect(await problemsOf(each)).toEqual([]);
      for (const { kind, metadata } of all.filter(({ kind: each }) => each !== 'Namespace'))
        expect([kind, metadata.name, metadata.namespace]).toEqual([kind, metadata.name, base.namespace]);
      const { data } = of(all, 'ConfigMap', /^gateway-/);
      expect(Object.keys(data).sort()).toEqual(gatewayFiles.files.toSorted());
      expect(data['upstreams.conf']).toBe(await read('deploy/kubernetes/upstreams.conf'));
      expect(data['real-ip.conf']).toBe(
        await read(folder.endsWith('overlay') ? `${folder}/real-ip.conf` : 'deploy/nginx/real-ip.conf'),
      );
      // Names of ConfigMaps carry a digest, which who mounts them must have, too.
      const used = of(all, 'Deployment', /^gateway$/).spec.template.spec.volumes;
      expect(used.map((each: Manifest) => each.configMap?.name)).toContain(
        of(all, 'ConfigMap', /^gateway-/).metadata.name,
      );
    }
  });

  test('with the component of backups, the jobs have the settings and the image of the services', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'cool-mint-kustomize-'));
    await cp(path.join(projectRoot, 'deploy'), root, { recursive: true });
    const file = path.join(root, 'kubernetes-overlay', 'kustomization.yaml');
    await writeFile(file, `${await readFile(file, 'utf8')}components: [../kubernetes-backup]\n`);
    const all = await rendered(path.dirname(file));
    const config = of(all, 'ConfigMap', /^cool-mint-/).metadata.name;
    const { image: tag } = of(all, 'Deployment', /^projector$/).spec.template.spec.containers[0];
    expect(tag).toMatch(/^registry\.example\.com\/cool-mint:\d/);
    for (const name of [/^backup$/, /^restore$/]) {
      const { metadata, spec } = of(all, 'CronJob', name);
      const [container] = spec.jobTemplate.spec.template.spec.containers;
      expect([metadata.namespace, container.image]).toEqual([base.namespace, tag]);
      expect(container.envFrom).toEqual([{ configMapRef: { name: config } }]);
    }
    await rm(root, { recursive: true });
  });
});

test('the command service has the key pair, the query service the public key only, and the projector none', () => {
  const dataDir = image['DATA_DIR'] as string;
  const mount = { name: 'issuer', mountPath: `${dataDir}/issuer`, readOnly: true };
  const issuerOf = (name: string) =>
    named('Deployment', name).spec.template.spec.volumes.find((each: Manifest) => each.name === 'issuer');
  for (const name of ['command-service', 'query-service']) expect(containerOf(name).volumeMounts).toContainEqual(mount);
  const secret = { secretName: 'cool-mint-issuer', optional: true, defaultMode: 0o440 };
  expect(issuerOf('command-service').secret).toEqual(secret);
  expect(issuerOf('query-service').secret).toEqual({
    ...secret,
    items: [{ key: 'public-key.pem', path: path.basename(issuerFiles(dataDir).publicKey) }],
  });
  expect(containerOf('query-service').env).toContainEqual({
    name: 'AUTH_PUBLIC_KEY_FILE',
    value: issuerFiles(dataDir).publicKey,
  });
  expect(issuerOf('projector')).toBeUndefined();
});

test('a start has half an hour for migrations before it is ended', () => {
  for (const name of serviceNames) {
    const { periodSeconds, failureThreshold } = containerOf(name).startupProbe;
    expect(periodSeconds * failureThreshold).toBe(1_800);
    expect(named('Deployment', name).spec.progressDeadlineSeconds).toBeGreaterThan(1_800);
  }
});

describe('who is in front of the gateway', () => {
  const overlayFolder = 'deploy/kubernetes-overlay';
  const believed = async (file: string) =>
    [...(await read(file)).matchAll(/^\s*(?:set_real_ip_from|real_ip_\w+) .*$/gm)].map(([line]) => line);

  test('is believed by no file that is shipped', async () => {
    const folders = { 'deploy/nginx': gatewayFiles.files, 'deploy/kubernetes': base.configMapGenerator[1].files };
    for (const [where, names] of Object.entries(folders))
      for (const name of names) expect(await believed(`${where}/${name}`), `${where}/${name}`).toEqual([]);
  });

  test('is named by an overlay, which lets nobody else reach it', async () => {
    const overlay = parse(await read(`${overlayFolder}/kustomization.yaml`));
    expect((await readdir(path.join(projectRoot, overlayFolder))).sort()).toEqual([
      'from-ingress.yaml',
      'kustomization.yaml',
      'real-ip.conf',
    ]);
    expect([overlay.namespace, overlay.resources]).toEqual([base.namespace, ['../kubernetes']]);
    expect(overlay.images).toEqual([{ ...base.images[0], newName: expect.any(String) }]);
    expect(overlay.configMapGenerator).toEqual([
      { name: 'gateway', namespace: base.namespace, behavior: 'merge', files: ['real-ip.conf'] },
    ]);
    expect(gatewayFiles.files).toContain('real-ip.conf');
    expect(await believed(`${overlayFolder}/real-ip.conf`)).toEqual([
      'set_real_ip_from 10.42.0.0/16;',
      'real_ip_header X-Forwarded-For;',
    ]);
    expect(overlay.patches).toEqual([{ path: 'from-ingress.yaml' }]);
    const patch = parse(await read(`${overlayFolder}/from-ingress.yaml`));
    expect(await problemsOf(patch)).toEqual([]);
    const before = named('NetworkPolicy', patch.metadata.name);
    expect([patch.spec.podSelector, patch.spec.ingress[0].ports]).toEqual([
      before.spec.podSelector,
      before.spec.ingress[0].ports,
    ]);
    // Both in one element: of that namespace, and with that label.
    expect(patch.spec.ingress).toHaveLength(1);
    expect(patch.spec.ingress[0].from.map((each: Manifest) => Object.keys(each))).toEqual([
      ['namespaceSelector', 'podSelector'],
    ]);
  });
});

test('the gateway is that of the compose file, and leads to the services', async () => {
  const { services } = await composed('docker-compose.yml');
  const container = containerOf('gateway');
  expect([container.image, container.args]).toEqual([services['gateway']?.image, services['gateway']?.command]);
  const upstreams = await read('deploy/kubernetes/upstreams.conf');
  for (const [, name, port] of upstreams.matchAll(/server ([\w-]+):(\d+);/g))
    expect(named('Service', name as string).spec.ports).toContainEqual({
      name: 'http',
      port: Number(port),
      targetPort: 'http',
    });
  expect([...upstreams.matchAll(/upstream (\w+)/g)].map(([, name]) => name)).toEqual(['commands', 'queries']);
});

test('what scales is there, and by a metric that the projector has; more projectors than partitions are not asked for', () => {
  for (const { spec } of [...all('HorizontalPodAutoscaler'), ...all('ScaledObject')])
    expect(named(spec.scaleTargetRef.kind, spec.scaleTargetRef.name)).toBeDefined();
  const { maxReplicaCount, triggers } = named('ScaledObject', 'projector').spec;
  const metric = /max\((\w+)\{/.exec(triggers[0].metadata.query)?.[1] as string;
  expect(registry.getSingleMetric(metric)).toBeDefined();
  expect(maxReplicaCount).toBeLessThanOrEqual(startSettings.shape.KAFKA_PARTITIONS.parse(undefined));
});

test('nothing is let in but what is named, by labels and ports that there are', () => {
  const nobody = named('NetworkPolicy', 'nobody').spec;
  expect(nobody).toEqual({ podSelector: {}, policyTypes: ['Ingress'] });
  for (const { spec } of all('NetworkPolicy').filter((each) => each.metadata.name !== 'nobody')) {
    const names = spec.podSelector.matchLabels
      ? [spec.podSelector.matchLabels['app.kubernetes.io/name']]
      : spec.podSelector.matchExpressions[0].values;
    for (const name of names)
      for (const { port } of spec.ingress[0].ports)
        expect(
          named('Deployment', name).spec.template.spec.containers.flatMap((one: Manifest) =>
            one.ports.map((each: Manifest) => each.name),
          ),
          name,
        ).toContain(port);
  }
});
