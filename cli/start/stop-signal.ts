/** Ctrl-C and SIGTERM ask for a clean stop; asking again more than a second later ends the process at once. */
export function stopSignal(): Disposable & { readonly signal: AbortSignal; readonly asked: Promise<void> } {
  const stop = new AbortController();
  // Something must keep the process alive until it is asked to stop.
  const alive = setInterval(() => undefined, 60_000);
  const asked = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
  let first = 0;
  const ask = () => {
    const now = performance.now();
    // One Ctrl-C may arrive twice: from the terminal, and passed on by the launcher.
    if (first > 0 && now - first > 1_000) process.exit(130);
    if (first === 0) first = now;
    stop.abort();
  };
  process.on('SIGINT', ask);
  process.on('SIGTERM', ask);
  return { signal: stop.signal, asked, [Symbol.dispose]: () => clearInterval(alive) };
}
