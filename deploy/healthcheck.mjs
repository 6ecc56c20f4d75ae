// The health check of a container: whether the service in it is alive. (The image has no curl.)
const { ok } = await fetch(`http://127.0.0.1:${process.env.ADMIN_PORT}/health/live`);
process.exit(ok ? 0 : 1);
