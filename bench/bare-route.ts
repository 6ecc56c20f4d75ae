/** The bare machine's side of the listing: a Fastify route that sends a ready text of the same size. */
import fastify from 'fastify';

const size = Number(process.argv[2] ?? 30_000);
const body = JSON.stringify({ data: 'x'.repeat(size) });
const app = fastify();
app.get('/', (_request, reply) => reply.type('application/json; charset=utf-8').send(body));
process.stdout.write(`${JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) })}\n`);
