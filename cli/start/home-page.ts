/** The page at `/`: how it stands, where to look, how to get a token. Shows nothing of any tenant. */

import type { Projector } from '#projector/start-projector.ts';
import type { App } from '#shared/http/app.ts';

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#123;background:#fbfffd}
h1{color:#0a7d5c;margin-bottom:0}code,pre{background:#e9f6f1;border-radius:4px;padding:.1rem .3rem}pre{padding:.8rem;overflow:auto}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem 1.2rem .2rem 0}
@media (prefers-color-scheme:dark){body{color:#def;background:#0b1613}code,pre{background:#16302a}h1{color:#5fd6b0}a{color:#7fd}}`;

const escapeHtml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function addHomePage(
  app: App,
  parts: { readonly version: string; readonly projector: Pick<Projector, 'status'> },
): void {
  app.route({
    method: 'GET',
    url: '/',
    config: { public: true },
    schema: { hide: true },
    handler: async (request, reply) => {
      const origin = `${request.protocol}://${request.host}`;
      const rows = [...parts.projector.status]
        .map(([name, { state }]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(state)}</td></tr>`)
        .join('');
      reply
        .header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
        .header('X-Content-Type-Options', 'nosniff');
      return reply.type('text/html; charset=utf-8').send(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Cool Mint</title><style>${style}</style>
<h1>Cool Mint</h1><p>Version ${escapeHtml(parts.version)}. Activities, selections and the audit trail behind them.</p>
<h2>Status</h2><table><tr><th>Projection</th><th>State</th></tr>${rows}</table>
<h2>Look</h2><ul><li><a href="/api/docs">The interface, to read and try</a></li><li><a href="/api/openapi.json">OpenAPI 3.1</a></li></ul>
<h2>Try</h2><p>A token for the demo data, then the newest calls:</p>
<pre>TOKEN=$(npx cool-mint token --tenant demo)
curl -H "Authorization: Bearer $TOKEN" "${escapeHtml(origin)}/api/v1/activities?kind=call&amp;limit=3"</pre>
<p>Your own data goes into the tenant <code>main</code>:</p><pre>npx cool-mint import Task.csv Contact.csv Account.csv</pre></html>`);
    },
  });
}
