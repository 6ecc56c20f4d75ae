// The health check of a container: whether the service in it has started, and is alive. What waits for it needs more than a
// process that answers: the key pair, the migrations. (The image has no curl.)
const ask = (path) => fetch(`http://127.0.0.1:${process.env.ADMIN_PORT}${path}`);
const [live, ready] = await Promise.all([ask('/health/live'), ask('/health/ready')]);
const { missing } = await ready.json();
process.exit(live.ok && !missing.some((each) => each.startsWith('it is starting')) ? 0 : 1);
