/** A real nginx with the files of deploy/nginx, of which nothing but addresses and folders is another here. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '#shared/runtime/free-port.ts';
import { startServer } from '#shared/testing/server-process.ts';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

/** The files by name: those of deploy/nginx, and in the place of some of them those of Kubernetes. */
async function configuration(of: GatewayOptions['inKubernetes']): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const folders = [
    'nginx',
    ...(of ? ['kubernetes'] : []),
    ...(of === 'behind an Ingress' ? ['kubernetes-overlay'] : []),
  ];
  for (const folder of folders)
    for (const name of await readdir(path.join(deploy, folder)))
      if (name.endsWith('.conf')) texts.set(name, await readFile(path.join(deploy, folder, name), 'utf8'));
  return texts;
}

export interface Gateway extends AsyncDisposable {
  readonly url: string;
  /** As it is reached from beside it only (inside.conf). */
  readonly insideUrl: string;
  /** What it has logged: a line of JSON for each request. */
  log(): Promise<string>;
  /** What it tells its operator beside that. */
  errors(): Promise<string>;
}

export interface GatewayOptions {
  /** host:port of the services. */
  readonly commands: string;
  readonly queries: string;
  /** With the files that Kubernetes has of its own; and those of the overlay, which believes this machine here. */
  readonly inKubernetes?: true | 'behind an Ingress';
  /** A thousand times what one caller may ask: the suites are very busy callers. */
  readonly generous?: boolean;
  /** Listens with TLS too, on this port; PEM texts. */
  readonly tls?: { readonly port: number; readonly cert: string; readonly key: string };
}

type Change = readonly [file: string, from: string | RegExp, to: string];

async function instance(folder: string, port: number, inside: number, options: GatewayOptions): Promise<void> {
  const server = options.tls ? 'server-tls.conf' : 'server.conf';
  const changes: Change[] = [
    ['upstreams.conf', /server command-service:3000( resolve)?;/, `server ${options.commands};`],
    ['upstreams.conf', /server query-service:3000( resolve)?;/, `server ${options.queries};`],
    ['nginx.conf', /\/tmp\//g, `${folder}/`],
    ['nginx.conf', '/dev/stderr', `${folder}/error.log`],
    ['nginx.conf', '/dev/stdout', `${folder}/access.log`],
    [server, 'listen 8080;', `listen 127.0.0.1:${port};`],
    ['inside.conf', 'listen 8081;', `listen 127.0.0.1:${inside};`],
    ...(options.tls
      ? ([
          ['nginx.conf', 'include server.conf;', `include ${server};`],
          [server, 'listen 8443 ssl;', `listen 127.0.0.1:${options.tls.port} ssl;`],
          [server, '/run/secrets/tls_certificate', `${folder}/cert.pem`],
          [server, '/run/secrets/tls_key', `${folder}/key.pem`],
        ] as const)
      : []),
    ...(options.inKubernetes === 'behind an Ingress'
      ? ([['real-ip.conf', 'set_real_ip_from 10.42.0.0/16;', 'set_real_ip_from 127.0.0.1;']] as const)
      : []),
    ...(options.generous
      ? ([
          ['limits.conf', 'rate=100r/s', 'rate=100000r/s'],
          ['limits.conf', 'burst=200', 'burst=20000'],
          ['limits.conf', 'limit_conn under-way 64', 'limit_conn under-way 6400'],
        ] as const)
      : []),
  ];
  for (const [name, configured] of await configuration(options.inKubernetes)) {
    let text = configured;
    for (const [file, from, to] of changes) {
      if (file !== name) continue;
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`deploy/nginx/${name} has no ${from}`);
      text = changed;
    }
    await writeFile(path.join(folder, name), text);
  }
  if (options.tls)
    await Promise.all([
      writeFile(path.join(folder, 'cert.pem'), options.tls.cert),
      writeFile(path.join(folder, 'key.pem'), options.tls.key),
    ]);
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cool-mint-gateway-'));
  const [port, inside] = [await freePort(), await freePort()];
  await instance(folder, port, inside, options);
  const server = await startServer({
    command: 'nginx',
    // One process, so that none is left when it is killed.
    args: ['-c', path.join(folder, 'nginx.conf'), '-g', 'daemon off; master_process off;'],
    ports: [port, inside],
    hint: 'apt-get install nginx-light',
  });
  return {
    url: `http://127.0.0.1:${port}`,
    insideUrl: `http://127.0.0.1:${inside}`,
    log: () => readFile(path.join(folder, 'access.log'), 'utf8'),
    errors: () => readFile(path.join(folder, 'error.log'), 'utf8'),
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
