/** Child process of the segment store test: appends groups of two frames for ever, saying each one that is on disk. */
import { openDirectory } from '../../../../node/store/files.ts';
import { group, open, scanned } from './segment-cases.ts';

const [path = ''] = process.argv.slice(2);
const store = await open(await openDirectory(path), { segmentBytes: 40_000 });
for (let n = (await scanned(store)).length / 2 + 1; ; n++) {
  await store.append(group(n, (n * 613) % 5_000, (n * 37) % 900));
  process.stdout.write(`${n}\n`);
}
