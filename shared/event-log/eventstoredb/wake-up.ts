/**
 * A subscription of the server, used only to be woken: it is opened where a reader has reached the end, tells by its
 * first event that there is more to read, and is closed at that. So it never falls behind (the server drops a live
 * subscriber that is 32 events late), no event is decoded twice, and its loss costs one poll interval.
 *
 * States: idle; armed (a subscription after a position is open). One for all readers of the process.
 */
import type { AllStreamSubscription } from '@eventstore/db-client';
import { type AppendSignal, appendSignal } from '#shared/event-log/append-signal.ts';
import type { Position } from '#shared/event-log/position.ts';
import type { WaitForAppend } from '#shared/event-log/subscribe-by-pages.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface WakeUp extends Pick<AppendSignal, 'notify'> {
  waiter(): { readonly woken: WaitForAppend };
  close(): void;
}

export function wakeUp(subscribe: (after: Position) => AllStreamSubscription, runtime: Runtime): WakeUp {
  const signal = appendSignal(runtime);
  let armed: { readonly after: Position; readonly subscription: AllStreamSubscription } | null = null;
  let closed = false;
  let sentBack = '';

  function disarm(): void {
    const subscription = armed?.subscription;
    armed = null;
    void subscription?.unsubscribe().catch(() => undefined);
  }

  function arm(after: Position): void {
    const subscription = subscribe(after);
    const own = { after, subscription };
    armed = own;
    const lost = () => {
      if (armed === own) armed = null;
    };
    subscription.on('data', () => {
      if (armed !== own) return;
      disarm();
      signal.notify();
    });
    subscription.on('error', lost);
    subscription.on('end', lost);
  }

  return {
    notify: signal.notify,
    waiter() {
      const { woken } = signal.waiter();
      return {
        async woken(stop, position) {
          if (armed && position < armed.after) {
            // Whoever armed it had read on; what lies between would wake nobody. But once only: in a log that was
            // restored meanwhile, there is nothing between.
            if (sentBack !== position) {
              sentBack = position;
              return;
            }
            disarm();
          }
          if (!armed && !closed) arm(position);
          await woken(stop, position);
        },
      };
    },
    close() {
      closed = true;
      disarm();
    },
  };
}
