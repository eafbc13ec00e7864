/**
 * The event stream: final events in order, as server-sent events. An id is the event's place for ever, so that a client that comes back with
 * Last-Event-ID gets everything after it, and nothing twice; one ahead of the chain is refused. One reader a client, which reads from the node only when the client takes what it got.
 */
import { ChainError } from '../../node/errors/index.ts';
import type { OutboxEvent } from '../../node/service.ts';
import type { ApiContext } from './context.ts';
import { eachInSteps, type Steps } from '../../node/pace/slices.ts';
import type { Call, StreamSink } from './route.ts';
import { parsePosition } from './routes/contract-events.ts';
import { eventSteps } from './routes/parts.ts';

const HEARTBEAT_MS = 15_000;
const BATCH = 50; // events read at once: of 64 kB each, some megabytes
const RETRY_HINT_MS = 1_000;

const open = new WeakMap<ApiContext, Map<string, number>>();

/** Takes a place for the stream; the returned function runs it. @throws ChainError SERVER_BUSY when all places are taken */
export function openEventStream(call: Call, api: ApiContext): (sink: StreamSink) => void {
  const { account, expiresMs } = call.caller;
  const places = open.get(api) ?? new Map<string, number>();
  open.set(api, places);
  const total = [...places.values()].reduce((sum, count) => sum + count, 0);
  const { streamsMax, streamsPerAccountMax } = api.settings;
  if (total >= streamsMax || (places.get(account) ?? 0) >= streamsPerAccountMax)
    throw new ChainError('SERVER_BUSY', { streamsMax, streamsPerAccountMax, retryAfterMs: 10_000 });

  const lastId = call.text('last-event-id');
  const fromHeight = call.integer('fromHeight');
  const start =
    lastId !== undefined
      ? seenPosition(lastId, api)
      : { height: (fromHeight < 0 ? api.node.head().height + 1 : fromHeight) - 1, position: Number.MAX_SAFE_INTEGER };
  const contract = call.text('contract');
  const name = call.text('name');

  return (sink) => {
    places.set(account, (places.get(account) ?? 0) + 1);
    api.metrics.streams(total + 1);
    let at: { readonly height: number; readonly position: number } = start;
    let running = false;
    let again = false;
    let closed = false;

    async function pump(): Promise<void> {
      again = true;
      if (running) return;
      running = true;
      try {
        while (again && !closed) {
          again = false;
          const events = await api.node.events(at, BATCH);
          if (closed || events.length === 0) continue;
          const asked = events.filter(
            ({ event }) => (contract ?? event.contract) === event.contract && (name ?? event.name) === event.name,
          );
          const texts = await api.paced(eachInSteps(asked, eventText));
          if (closed) continue;
          at = events[events.length - 1]!;
          again = true; // there may be more behind this batch
          if (texts.length > 0 && !sink.write(texts.join(''))) {
            sink.onDrain(() => void pump());
            return;
          }
        }
      } catch (error) {
        api.world.log.error({ requestId: call.requestId, error: String(error) }, 'event stream failed');
        sink.close();
      } finally {
        running = false;
      }
    }

    const stopListening = api.node.onEvents(() => void pump());
    const stopHeartbeat = api.world.timers.every(HEARTBEAT_MS, () => {
      if (api.world.clock.now() >= expiresMs) sink.close();
      else sink.write(': alive\n\n');
    });
    sink.onClose(() => {
      closed = true;
      stopListening();
      stopHeartbeat();
      const left = (places.get(account) ?? 1) - 1;
      if (left > 0) places.set(account, left);
      else places.delete(account);
      api.metrics.streams([...places.values()].reduce((sum, count) => sum + count, 0));
    });
    sink.write(`retry: ${RETRY_HINT_MS}\n\n`);
    void pump();
  };
}

function* eventText(event: OutboxEvent): Steps<string> {
  const shown = yield* eventSteps(event);
  yield;
  return `id: ${shown.id}\nevent: ${oneLine(shown.name)}\ndata: ${JSON.stringify(shown)}\n\n`;
}

/** @throws ChainError EVENT_ID_AHEAD: the stream would stay silent until the chain is there, and then leave events out. */
function seenPosition(lastId: string, api: ApiContext): { readonly height: number; readonly position: number } {
  const position = parsePosition(lastId);
  const { height } = api.node.head();
  if (position.height > height) throw new ChainError('EVENT_ID_AHEAD', { lastEventHeight: position.height, height });
  return position;
}

/** A name may not break the frame. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}
