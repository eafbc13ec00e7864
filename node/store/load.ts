/**
 * Reading a value of megabytes on the thread that votes. `get` would hold it for as long as the disk takes and the checksum; a range is
 * read on a thread of LevelDB's, and its values are checked in steps.
 */
import type { ByteText } from '../format/index.ts';
import type { Store } from '../world.ts';

export async function loadRow(store: Pick<Store, 'range'>, key: ByteText): Promise<Uint8Array | undefined> {
  const [row] = await store.range({ from: key, to: `${key}\0`, limit: 1 });
  return row?.value;
}
