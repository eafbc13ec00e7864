/**
 * The event stream: final events in order, as server-sent events. An id is the event's place for ever, so that a client that comes back with
 * Last-Event-ID gets everything after it, and nothing twice; one ahead of the chain is refused. One reader a client, which reads from the node only when the client takes what it got.
 */
import { Type } from '@sinclair/typebox';
import { ChainError } from '../../node/errors/index.ts';
import type { OutboxEvent } from '../../node/service.ts';
import type { ApiContext } from './context.ts';
import { eachInSteps, type Steps } from '../../node/pace/index.ts';
import type { Call, StreamSink } from './call.ts';
import { parsePosition } from './routes/contract-events.ts';
import { eventSteps, name128 } from './routes/parts.ts';
import { inHeader, inQuery, type ValuesOf } from './schema.ts';

const HEARTBEAT_MS = 15_000;
const BATCH = 50; // events read at once: of 64 kB each, some megabytes
const RETRY_HINT_MS = 1_000;

export const streamParameters = {
  contract: inQuery(name128, { default: null, example: 'records' }, { en: 'Events of this contract only', zh: '仅推送该合约的事件' }),
  name: inQuery(name128, { default: null, example: 'stored' }, { en: 'Events of this name only', zh: '仅推送该名称的事件' }),
  fromHeight: inQuery(
    Type.Integer({ minimum: -1, maximum: Number.MAX_SAFE_INTEGER }),
    { default: -1, example: 1 },
    { en: 'From this height on; -1: what comes from now on', zh: '起始高度；-1 表示仅推送此后的事件' },
  ),
  'last-event-id': inHeader(Type.String({ minLength: 3, maxLength: 33, pattern: '^[0-9]{1,15}-[0-9]{1,16}$' }), '12-0', {
    en: 'Id of the last event seen; the stream goes on after it and fromHeight is not used',
    zh: '上次收到的事件标识；从其后继续推送，忽略 fromHeight',
  }),
};

const open = new WeakMap<ApiContext, Map<string, number>>();

/** Takes a place for the stream; the returned function runs it. @throws ChainError SERVER_BUSY when all places are taken */
export function openEventStream(call: Call<ValuesOf<typeof streamParameters>>, api: ApiContext): (sink: StreamSink) => void {
  const { account, expiresMs } = call.caller;
  const places = open.get(api) ?? new Map<string, number>();
  open.set(api, places);
  const total = [...places.values()].reduce((sum, count) => sum + count, 0);
  const { streamsMax, streamsPerAccountMax } = api.settings;
  if (total >= streamsMax || (places.get(account) ?? 0) >= streamsPerAccountMax)
    throw new ChainError('SERVER_BUSY', { streamsMax, streamsPerAccountMax, retryAfterMs: 10_000 });

  const { contract, name, fromHeight, 'last-event-id': lastId } = call.parameters;
  const start =
    lastId !== undefined
      ? seenPosition(lastId, api)
      : { height: (fromHeight < 0 ? api.node.head().height + 1 : fromHeight) - 1, position: Number.MAX_SAFE_INTEGER };

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
