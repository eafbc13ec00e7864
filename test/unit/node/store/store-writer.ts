/** Child process of the store test: writes batches of two keys for ever, saying each one that is on disk. */
import { openLevelStore } from '../../../../node/store/level-store.ts';
import { u64Key } from '../../../../node/store/keyspace.ts';

const [path = ''] = process.argv.slice(2);
const store = await openLevelStore({ path });
let next = (await store.range({ from: 'left', to: 'leftz', limit: 1_000_000 })).length;
for (; ; next++) {
  const value = new Uint8Array((next * 613) % 5000).fill(next & 255);
  await store.batch(
    [
      { key: `left${u64Key(next)}`, value },
      { key: `right${u64Key(next)}`, value },
    ],
    { sync: true },
  );
  process.stdout.write(`${next}\n`);
}
