/** Serves final blocks and headers to peers, within the bounds of one answer. */
import { type Digest, Reader } from '../format/index.ts';
import { ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, type BlockAnswer, type HeaderAnswer } from './messages.ts';
import type { Pause } from '../pace/index.ts';
import type { Requests } from './requests.ts';

type Awaitable<T> = T | Promise<T>;

/** The final chain of this node. */
export interface BlockSource {
  head(): { readonly height: number; readonly hash: Digest };
  /** Exact bytes of the final block of this height; undefined when not held. */
  blockBytes(height: number): Awaitable<Uint8Array | undefined>;
  finality(height: number): Awaitable<Uint8Array | undefined>;
  /** The front of blockBytes, where it can be had without them. */
  headerBytes?(height: number): Awaitable<Uint8Array | undefined>;
  /** For reading many of them on the thread that votes. */
  pause?(): Pause;
}

export function serveBlocks(requests: Requests, source: BlockSource, answerBytesMax = ANSWER_BYTES_MAX): void {
  requests.serve('getBlocks', async (_, question) => {
    const blocks: BlockAnswer[] = [];
    if (question.kind !== 'getBlocks') return { kind: 'declined', code: 'PEER_DECLINED' };
    const bytesMax = Math.min(question.bytesMax, answerBytesMax);
    let bytes = 0;
    await eachHeight(source, question.fromHeight, question.count, async (block, finality) => {
      // One block is always sent, or a large one could never be fetched.
      if (blocks.length > 0 && bytes + block.length > bytesMax) return false;
      blocks.push({ block, finality });
      bytes += block.length;
      return true;
    });
    return { kind: 'blocksAnswer', blocks };
  });
  requests.serve('getHeaders', async (_, question) => {
    if (question.kind !== 'getHeaders') return { kind: 'declined', code: 'PEER_DECLINED' };
    return { kind: 'headersAnswer', headers: await headersOf(source, question.fromHeight, question.count) };
  });
}

/** Headers of final blocks and what proves them final, of one answer at most. */
export async function headersOf(source: BlockSource, fromHeight: number, countMax: number): Promise<HeaderAnswer[]> {
  const headers: HeaderAnswer[] = [];
  const last = Math.min(source.head().height, fromHeight + Math.min(countMax, ANSWER_BLOCKS_MAX) - 1);
  const pause = source.pause?.();
  for (let height = fromHeight; height <= last; height++) {
    await pause?.();
    const header = source.headerBytes ? await source.headerBytes(height) : await frontOf(source, height);
    if (header === undefined) break;
    headers.push({ header, finality: await source.finality(height) });
  }
  return headers;
}

async function frontOf(source: BlockSource, height: number): Promise<Uint8Array | undefined> {
  const block = await source.blockBytes(height);
  return block && new Reader(block).bytes();
}

/** Walks up from `from` to the head until `visit` says stop, `countMax` is reached or a block is not held. */
async function eachHeight(
  source: BlockSource,
  from: number,
  countMax: number,
  visit: (block: Uint8Array, finality: Uint8Array | undefined) => Promise<boolean>,
): Promise<void> {
  const last = Math.min(source.head().height, from + Math.min(countMax, ANSWER_BLOCKS_MAX) - 1);
  const pause = source.pause?.();
  for (let height = from; height <= last; height++) {
    await pause?.();
    const block = await source.blockBytes(height);
    if (block === undefined || !(await visit(block, await source.finality(height)))) return;
  }
}
