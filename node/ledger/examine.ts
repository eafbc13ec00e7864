/**
 * Looks whether the rows of final blocks are all there. A damaged value is met when it is read; a damaged key is not: its row looks as if it had never been, and
 * a transaction whose place is gone looks unspent. So when a table file of the database is found damaged, the blocks are gone through once.
 * State and map need no such walk: a branch that counts entries it cannot find is damage, and a value that is not found does not give the state root.
 */
import { type ByteText, type Crypto, decodeBlock, encodeHeader, headerHash, openTransaction } from '../format/index.ts';
import type { Pause } from '../pace/index.ts';
import { damagedKey, loadRow } from '../store/index.ts';
import type { BlockStore } from './block-store.ts';
import type { Store } from '../world.ts';
import { ledgerKey } from './keys.ts';

/** Heights looked at before the walk rests. */
export const EXAMINE_STEP = 16;

/**
 * Tells of every row of the blocks up to `height` that is damaged or missing.
 * @param pause awaited after each row.
 * @param rest awaited after each step; a rejection ends the walk.
 */
export async function examineBlocks(
  store: Pick<Store, 'get' | 'range'>,
  blocks: Pick<BlockStore, 'blockBytes'>,
  crypto: Pick<Crypto, 'hash'>,
  height: number,
  tell: (key: ByteText) => void,
  pause: Pause,
  rest: () => Promise<void>,
): Promise<void> {
  const present = async (
    key: ByteText,
    read: () => Uint8Array | undefined | Promise<Uint8Array | undefined> = () => store.get(key),
  ): Promise<Uint8Array | undefined> => {
    await pause();
    try {
      const value = await read();
      if (value === undefined) tell(key);
      return value;
    } catch (error) {
      const damaged = damagedKey(error);
      if (damaged === undefined) throw error;
      tell(damaged);
      return undefined;
    }
  };
  for (let at = 0; at <= height; at++) {
    await present(ledgerKey.header(at));
    await present(ledgerKey.receipts(at), () => loadRow(store, ledgerKey.receipts(at)));
    if (at > 0) await present(ledgerKey.certificate(at));
    const body = await present(ledgerKey.body(at), () => blocks.blockBytes(at));
    if (body) {
      const { header, transactions } = decodeBlock(body);
      await present(ledgerKey.heightOfHash(headerHash(crypto, encodeHeader(header))));
      for (const bytes of transactions) await present(ledgerKey.position(openTransaction(crypto, bytes).id));
    }
    if (at % EXAMINE_STEP === EXAMINE_STEP - 1) await rest();
  }
}
