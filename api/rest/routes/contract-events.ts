/** The events of one contract, page by page, and the place of an event as text. */
import { ChainError } from '../../../node/errors/index.ts';
import type { OutboxEvent } from '../../../node/service.ts';
import type { ApiContext } from '../context.ts';
import { eachInSteps } from '../../../node/pace/index.ts';
import type { Call } from '../call.ts';
import { API_PREFIX } from '../route.ts';
import { inQuery, type ValuesOf } from '../schema.ts';
import { addressParameter, contractEntry } from './contract-address.ts';
import { eventSteps, heightRange, name128 } from './parts.ts';
import { listRoute, type Page, type PageAsked } from './shapes.ts';

const EVENTS_SCANNED_MAX = 20_000; // by one page, whatever the filter
const EVENTS_READ = 500;

const eventParameters = {
  address: addressParameter,
  name: inQuery(name128, { default: null, example: 'weighed' }, { en: 'Events of this name only', zh: '仅返回该名称的事件' }),
  fromHeight: inQuery(heightRange, { default: 0, example: 1 }, { en: 'From this height', zh: '起始高度' }),
};

export const listContractEvents = listRoute({
  operationId: 'listContractEvents',
  url: `${API_PREFIX}/contracts/:address/events`,
  layer: 'contract',
  summary: { en: 'Final events of a contract, oldest first', zh: '查询合约事件（已最终确认，按时间升序）' },
  access: { right: 'chain:read' },
  parameters: eventParameters,
  page: eventPage,
});

async function eventPage(
  { parameters }: Call<ValuesOf<typeof eventParameters>>,
  api: ApiContext,
  { limit, cursor }: PageAsked,
): Promise<Page> {
  const { address, name, fromHeight } = parameters;
  const height = cursor?.height ?? api.node.head().height;
  let at =
    cursor === undefined
      ? { height: Math.max(fromHeight, firstHeight(address, api)) - 1, position: Number.MAX_SAFE_INTEGER }
      : parsePosition(String(cursor.at));
  const found: OutboxEvent[] = [];
  const whole = async (): Promise<Page> => ({ items: await api.paced(eachInSteps(found, eventSteps)), height, at: undefined });
  const part = async (): Promise<Page> => ({ ...(await whole()), at: `${at.height}-${at.position}` });
  for (let scanned = 0; scanned < EVENTS_SCANNED_MAX; ) {
    const events = await api.node.events(at, EVENTS_READ);
    for (const event of events) {
      if (event.height > height) return whole();
      at = event;
      scanned++;
      if (event.event.contract === address && (name ?? event.event.name) === event.event.name) found.push(event);
      if (found.length === limit) return part();
    }
    if (events.length === 0) return whole();
  }
  return { ...(await part()), complete: false };
}

/** Before a contract was deployed it has no events; built-in ones are there from the start. */
function firstHeight(address: string, api: ApiContext): number {
  if (!address.startsWith('0x')) return 0;
  const { deployedAt } = contractEntry(address, api) as { readonly deployedAt?: number };
  return deployedAt ?? 0;
}

/** @throws ChainError CURSOR_INVALID */
export function parsePosition(text: string): { readonly height: number; readonly position: number } {
  const match = /^([0-9]{1,15})-([0-9]{1,16})$/.exec(text);
  if (match === null) throw new ChainError('CURSOR_INVALID');
  return { height: Number(match[1]), position: Number(match[2]) };
}
