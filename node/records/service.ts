/** The record modules behind the routes: parse, submit, search, read, prove, trace. */
import { keyOf, may, type Read, seesRecord, stateKey } from '../../contracts/index.ts';
import type { Crypto, Digest, Evidence, Json, StoredRecord } from '../format/index.ts';
import { fromHex, headerHash, toHex } from '../format/index.ts';
import { ChainError } from '../errors/index.ts';
import { createPause, type Headroom, type Steps } from '../pace/index.ts';
import { fillingMappings } from './filled.ts';
import type { Inclusions } from './inclusion.ts';
import { contentSteps } from './content-steps.ts';
import { createClassLookup } from './class-lookup.ts';
import { createScanBudget } from './scan-budget.ts';
import type { RecordIndex } from './query-index.ts';
import type { SealedStore } from './sealed-store.ts';
import { TRACE_DEPTH_MAX, traceProduct } from './trace.ts';
import { viewSteps } from './view.ts';
import type { NodeService } from '../service.ts';
import type { Clock, Timers } from '../world.ts';
import { formatOfMediaType } from './formats/index.ts';
import type { Bearer, Caller, RecordBody, RecordPage, RecordRow, RecordSearch, RecordService, RecordSubmitOptions } from './types.ts';
import type { Bodies } from './bodies.ts';
import type { HeldBody } from './body-thread.ts';
import { checkSigns, classOf, judgeRows, newestKey, standingRecords } from './check-rows.ts';
import { createCoalescing } from './coalescing.ts';
import { createGuesses } from './guesses.ts';
import { type CheckedRow, outcomeOf, outcomesOf, submitRows } from './submit.ts';
import { createRecordSource, type RecordBlocks } from './source.ts';
import { createUnderWay } from './under-way.ts';

const INDEX_POLL_MS = 20; // how often a read waiting for the index looks again
/**
 * Content of the records in one page: it ends before the record that would be too much, and holds one at least. Twice what a record may be.
 */
export const RECORD_PAGE_BYTES_MAX = 8_388_608;

export interface RecordServiceDependencies {
  readonly node: NodeService;
  readonly crypto: Crypto;
  readonly index: RecordIndex;
  readonly sealed: SealedStore;
  /** The organisation's sealing keys that this node holds, oldest first, 32 bytes each; the last one seals. */
  readonly sealingKeys: () => readonly Uint8Array[];
  readonly inclusions: Inclusions;
  readonly blocks: RecordBlocks;
  /** Stopped by whoever made it. */
  readonly bodies: Bodies;
  readonly timers: Timers;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly headroom?: Headroom;
  /** An evidence bundle of one stored version, with the transaction that wrote it when asked. */
  readonly evidence: (recordId: Digest, version: number, withTransaction: boolean) => Promise<Generator<void, Evidence, void>>;
}

function heldBody({ bytes, mediaType, gone }: RecordBody): HeldBody {
  const format = formatOfMediaType(mediaType);
  if (!format) throw new ChainError('MEDIA_TYPE_UNSUPPORTED', { mediaType });
  return { bytes, format, gone };
}

export function createRecordService(given: RecordServiceDependencies): RecordService {
  const { node, index, crypto } = given;
  const { inSlices } = given.bodies;
  const coalescing = createCoalescing(given);
  const source = createRecordSource({ state: node.state, blocks: given.blocks });
  const deps = { ...given, source, coalescing, underWay: createUnderWay(node, crypto, inSlices), guesses: createGuesses(given.clock) };
  const classes = createClassLookup(node.state);
  const scans = createScanBudget(deps);

  const read: Read = (contract, key) => node.state.get(stateKey(contract, key));
  const readsAll = (caller: Caller): boolean => may(read, caller.account, 'record:read');

  /** A stored version. One the caller may not see is refused like one that does not exist, and as fast: by the first version alone. */
  async function seen(id: Digest, version: number, caller: Caller): Promise<StoredRecord> {
    const first = source.version(id, 1);
    const record =
      first && seesRecord(read, caller.account, first) ? await source.record(id, version === 0 ? undefined : version) : undefined;
    if (!record) throw new ChainError('RECORD_NOT_FOUND', { id: toHex(id) });
    return record;
  }

  /** @param unsealed with the sealed values, where the caller may read them */
  function* view(id: Digest, record: StoredRecord, caller: Caller, unsealed: boolean): Steps<RecordRow> {
    const headerBytes = deps.blocks.headerBytes(record.height);
    const own = unsealed && caller.organisation === record.org && (record.actor === caller.account || readsAll(caller));
    const keyed = yield* contentSteps(record.keyContent);
    const definition = classes(record.class, record.classVersion);
    const content = record.content.length === 0 ? null : keyed;
    return yield* viewSteps(id, record, {
      content,
      key: definition ? keyOf(definition, keyed) : {},
      mappings: content === null ? [] : yield* fillingMappings(read, content),
      blockHash: headerBytes ? headerHash(crypto, headerBytes) : new Uint8Array(0),
      ...(own ? { sealed: yield* deps.sealed.getSteps(id), erased: deps.sealed.isErased(id) } : {}),
    });
  }

  async function reach(height: number, waitMs: number): Promise<void> {
    for (let waited = 0; (index.height ?? -1) < height; waited += INDEX_POLL_MS) {
      if (waited >= waitMs) throw new ChainError('INDEX_BEHIND', { atLeastHeight: height, indexedHeight: index.height ?? -1 });
      await new Promise<void>((resolve) => deps.timers.after(INDEX_POLL_MS, resolve));
    }
  }

  async function search(query: RecordSearch, caller: Caller): Promise<RecordPage> {
    await reach(query.atLeastHeight, query.waitMs);
    const terms = {
      ...query.filter,
      ...(readsAll(caller) ? {} : { author: caller.account }),
      order: query.order,
      ...(query.includeArchived && query.order !== 'commit' ? { state: 'kept' as const } : {}),
    };
    const pause = createPause(deps);
    const asked = { ...terms, limit: query.limit, ...(query.after === undefined ? {} : { after: query.after }) };
    const page = await scans.scan(caller.account, (pace) => index.search(asked, undefined, pace));
    const items: RecordRow[] = [];
    let bytes = 0;
    for (const { id, version, matched } of page.rows) {
      const digest = fromHex(id);
      const record = (await source.record(digest, version))!;
      bytes += record.content.length;
      if (items.length > 0 && bytes > RECORD_PAGE_BYTES_MAX) break;
      items.push({ ...(await inSlices(view(digest, record, caller, false))), matched });
      await pause();
    }
    const cut = items.length < page.rows.length;
    const next = cut ? page.after(items.length) : page.next;
    const complete = page.complete && !cut;
    return {
      items,
      next: next ?? null,
      height: page.height,
      complete,
      ...(complete || next === undefined ? {} : { resumeAt: next }),
      withheld: page.withheld,
      count: query.count === 'exact' ? await countAll(terms, caller) : null,
    };
  }

  /** Null when more rows would have to be looked at than one count may. */
  async function countAll(terms: Parameters<RecordIndex['count']>[0], caller: Caller): Promise<number | null> {
    const { count, complete } = await scans.count(caller.account, (pace) => index.count(terms, undefined, pace));
    return complete ? count : null;
  }

  /** Rows that every check let through, and who sends them. */
  async function checked(
    given: RecordBody,
    bearer: Bearer,
    { recordClass, statedDigest, source }: Pick<RecordSubmitOptions, 'recordClass' | 'statedDigest' | 'source'>,
  ): Promise<{ readonly caller: Caller; readonly rows: readonly CheckedRow[] }> {
    const { bodies } = deps;
    const body = heldBody(given);
    const { known } = bearer;
    const caller = known ?? bearer.identify((await bodies.read(`@${bearer.address}`, body, { want: 'token' })).token);
    const definition = classOf(node, recordClass);
    const sealingKey = newestKey(deps);
    const task = { want: 'rows', definition, org: caller.organisation, sealingKey, source, statedDigest } as const;
    const { token, prepared } = await bodies.read(caller.account, body, task);
    if (known) bearer.identify(token); // a token inside must be the one of the header
    checkSigns(node, caller);
    const found = standingRecords(deps, definition, prepared!, () => createPause(deps));
    const standing = found instanceof Promise ? await found : found;
    const rows = bodies.paced(judgeRows(deps, definition, prepared!, standing, caller));
    return { caller, rows: rows instanceof Promise ? await rows : rows };
  }

  return {
    async submit(body, bearer, options) {
      if (bearer.known) node.checkBacklog(bearer.known.account); // before the body is looked at
      const { caller, rows } = await checked(body, bearer, options);
      return submitRows(deps, rows, rows, caller, options);
    },
    async validate(body, bearer, options) {
      const { caller, rows } = await checked(body, bearer, { ...options, source: {} });
      return {
        records: await deps.bodies.inSlices(
          outcomesOf(rows, (row) => {
            const { currentVersion: _none, ...outcome } = outcomeOf(deps, caller.account, row, row.first ? 'repeated' : 'stored');
            return row.first ? { ...outcome, currentVersion: row.currentVersion } : outcome;
          }),
        ),
      };
    },
    async contentDigests(body, { account }, recordClass) {
      const task = { want: 'digests', definition: classOf(node, recordClass) } as const;
      return (await deps.bodies.read(account, heldBody(body), task)).digests;
    },
    underWay: deps.underWay.count,
    gathered: coalescing.gathered,
    search,
    async get(id, version, caller) {
      const digest = fromHex(id);
      return inSlices(view(digest, await seen(digest, version, caller), caller, true));
    },
    async history(id, page, caller) {
      const digest = fromHex(id);
      const current = await seen(digest, 0, caller);
      const from = page.after === undefined ? 1 : Number(page.after) + 1;
      if (!Number.isSafeInteger(from) || from < 1) throw new ChainError('CURSOR_INVALID', {});
      const end = Math.min(current.version, from + page.limit - 1);
      const items: RecordRow[] = [];
      const pause = createPause(deps);
      let bytes = 0;
      for (let version = from; version <= end; version++) {
        const record = (await source.record(digest, version))!;
        bytes += record.content.length;
        if (items.length > 0 && bytes > RECORD_PAGE_BYTES_MAX) break;
        items.push(await inSlices(view(digest, record, caller, false)));
        await pause();
      }
      const last = from - 1 + items.length;
      const next = last < current.version ? String(last) : null;
      return {
        items,
        next,
        height: node.head().height,
        complete: last >= end,
        ...(last >= end || next === null ? {} : { resumeAt: next }),
        withheld: 0,
        count: current.version,
      };
    },
    async proof(id, version, withTransaction, caller) {
      const digest = fromHex(id);
      const record = await seen(digest, version, caller);
      if (withTransaction && record.actor !== caller.account && !readsAll(caller))
        throw new ChainError('RIGHT_MISSING', { right: 'record:read' }); // it carries whatever else its sender put into it
      return (await deps.bodies.inSlices(await deps.evidence(digest, record.version, withTransaction))) as unknown as Json;
    },
    async trace(product, options, caller) {
      await reach(options.atLeastHeight, options.waitMs);
      const trace = await scans.scan(caller.account, (pace) =>
        traceProduct({ height: index.height, search: (query, may) => index.search(query, may, pace) }, source, product, {
          direction: options.direction,
          depthMax: Math.min(options.depth, TRACE_DEPTH_MAX),
          pause: createPause(deps),
        }),
      );
      return trace as unknown as Json;
    },
  };
}
