/** Every route of the interface, as its own description tells them, so that a new one is tested without being named. */
import type { Json } from './api.ts';

export interface DescribedRoute {
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly operation: Json;
}

export async function describedRoutes(url: string): Promise<DescribedRoute[]> {
  const document = (await (await fetch(`${url}/api/openapi.json`)).json()) as Json;
  return Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

export const nameOf = ({ method, path }: DescribedRoute): string => `${method} ${path}`;

/** The path with its parameters filled in; throws for one that is not given. */
export function pathOf({ path }: DescribedRoute, parameters: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_all, name: string) => {
    const value = parameters[name];
    if (value === undefined) throw new Error(`say what {${name}} of ${path} is`);
    return value;
  });
}
