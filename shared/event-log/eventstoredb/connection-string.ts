/**
 * EVENTSTORE_URL, checked before the client sees it: the client warns about what it does not know by printing the
 * whole string, password included, and cuts passwords at a colon. Messages name the host only.
 */
import { SetupError } from '#shared/errors/setup-error.ts';

export interface ConnectionString {
  /** As given, for the client. Never to be shown. */
  readonly url: string;
  /** Host and port, or several, for messages. */
  readonly place: string;
  readonly tls: boolean;
  /** The file of the authority, where one is named. */
  readonly tlsCaFile: string | null;
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

const count = /^\d{1,9}$/;
const countOrNever = /^(\d{1,9}|-1)$/;
/** What the client's connection string may say, and how; anything else it would ignore. Only the leader is of use to us. */
const known: ReadonlyMap<string, RegExp> = new Map([
  ['tls', /^(true|false)$/],
  ['tlsCAFile', /./],
  ['connectionName', /./],
  ['maxDiscoverAttempts', count],
  ['discoveryInterval', count],
  ['gossipTimeout', count],
  ['keepAliveInterval', countOrNever],
  ['keepAliveTimeout', countOrNever],
  ['defaultDeadline', count],
]);
const flat = (name: string) => name.trim().toLowerCase().replaceAll(/[_-]/g, '');

const example = 'It looks like esdb://host:2113?tls=false, or esdb+discover://user:password@cluster.example:2113.';

function refuse(what: string): never {
  throw new SetupError(`EVENTSTORE_URL ${what} ${example}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('has a % in its user or password that is no percent-encoding; write it as %25.');
  }
}

/** Throws a SetupError that says what is wrong, and never shows the credentials. */
export function parseConnectionString(text: string): ConnectionString {
  const url = text.trim();
  const [, scheme = '', rest = ''] = /^([a-z+]+):\/\/(.*)$/is.exec(url) ?? [];
  if (/^kurrentdb(\+discover)?$/i.test(scheme))
    refuse(
      `begins with ${scheme}://, which this client does not know; write ${scheme.replace(/kurrentdb/i, 'esdb')}://.`,
    );
  if (scheme !== 'esdb' && scheme !== 'esdb+discover') refuse('must begin with esdb:// or esdb+discover://.');
  // The client would take what is before it for credentials, and we would show them as an option.
  if (/\?.*@/s.test(rest)) refuse('has an @ behind a ?; write ? as %3F and @ as %40 in the user and password.');
  const [address = '', query = ''] = rest.split(/\/?\?(.*)/s);
  const at = address.lastIndexOf('@');
  const place = address.slice(at + 1).replace(/\/+$/, '');
  if (place === '') refuse('names no host.');
  if (place.includes('[')) refuse('names an IPv6 address, which this client cannot read; give a host name.');
  if (place.includes('/')) refuse('has a path, which means nothing here.');
  for (const host of place.split(',')) {
    const [, port = '2113'] = /^[^:]+(?::(.*))?$/.exec(host) ?? refuse(`has "${host}" where host:port is expected.`);
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) refuse(`has the port "${port}".`);
  }
  let credentials: ConnectionString['credentials'] = null;
  if (at >= 0) {
    const parts = address.slice(0, at).split(':');
    if (parts.length !== 2 || parts.includes('') || address.indexOf('@') !== at)
      refuse('has credentials that are not user:password; write : as %3A, @ as %40 and / as %2F in them.');
    credentials = { username: decoded(parts[0] as string), password: decoded(parts[1] as string) };
  }
  const options = new Map<string, string>();
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    const option = [...known.keys()].find((one) => flat(one) === flat(name));
    if (!option)
      refuse(
        `has the option "${name.slice(0, 40)}", which is not supported; known are ${[...known.keys()].join(', ')}.`,
      );
    if (!known.get(option)?.test(value)) refuse(`has no sensible value for "${option}".`);
    options.set(flat(name), value);
  }
  const tls = options.get('tls') !== 'false';
  const file = options.get('tlscafile');
  return { url, place, tls, tlsCaFile: file === undefined ? null : decoded(file), credentials };
}
