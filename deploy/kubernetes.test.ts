/** The manifests for Kubernetes, held to the published schemas, and to the image and the services that they run. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
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
const manifests = (await Promise.all(files.map(manifestsOf))).flat();
const all = (kind: string): Manifest[] => manifests.filter((each) => each.kind === kind);
const named = (kind: string, name: string): Manifest => {
  const found = all(kind).find((each) => each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const containerOf = (name: string): Manifest => named('Deployment', name).spec.template.spec.containers[0];
const everyone = [...serviceNames, 'gateway'];

describe('by the published schemas', () => {
  test.each(manifests.map((each) => [`${each.kind} ${each.metadata.name}`, each] as const))(
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
      expect(variable in startSettings.shape || /^OTEL_/.test(variable), variable).toBe(true);
    expect(container.envFrom).toEqual([
      { configMapRef: { name: base.configMapGenerator[0].name } },
      { secretRef: { name: 'cool-mint-servers' } },
    ]);
    expect(() => startConfig({ ...image, ...Object.fromEntries(given) })).not.toThrow();
  });
});

test('the command service has the key pair, the query service the public key only, and the projector none', () => {
  const dataDir = image['DATA_DIR'] as string;
  const mount = { name: 'issuer', mountPath: `${dataDir}/issuer`, readOnly: true };
  const issuerOf = (name: string) =>
    named('Deployment', name).spec.template.spec.volumes.find((each: Manifest) => each.name === 'issuer');
  for (const name of ['command-service', 'query-service']) expect(containerOf(name).volumeMounts).toContainEqual(mount);
  const secret = { secretName: 'cool-mint-issuer', defaultMode: 0o440 };
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
          containerOf(name).ports.map((each: Manifest) => each.name),
          name,
        ).toContain(port);
  }
});
