/** Child process of the vote log test: appends numbered records for ever, saying each one that is on disk. */
import { openVoteLog } from '../../../../node/store/vote-log.ts';

const [path = ''] = process.argv.slice(2);
const log = await openVoteLog(path);
for (let n = log.records.length; ; n++) {
  await log.append([new TextEncoder().encode(`record ${n} ${'x'.repeat((n * 37) % 900)}`)]);
  process.stdout.write(`${n}\n`);
}
