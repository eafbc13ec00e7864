/**
 * Every flood at once, for a short time: what `npm run chaos -- --flood` measures for three minutes. TRACEMILL_FLOOD_SECONDS makes it longer. How slow
 * a record becomes is told and not judged here: five nodes and those who flood them share two cores, and the command says what that comes to. So the
 * quiet that a record is held against is short as well. /healthz may take five times what the command allows: a slower machine passes, a node that
 * stands still does not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, measureFlood } from '../chaos/flood.ts';

const SECONDS = Number(process.env.TRACEMILL_FLOOD_SECONDS ?? 12);
const QUIET_SECONDS = 4;

test('four nodes under every flood at once lose no record and go on committing within their limits', async (t) => {
  const healthzMsLimit = 5 * LIMITS.healthzMs;
  const report = await measureFlood({
    seconds: SECONDS,
    rounds: 1,
    quietSeconds: QUIET_SECONDS,
    healthzMsLimit,
    say: (line) => t.diagnostic(line),
  });
  if (report.slow !== undefined) t.diagnostic(report.slow);
  assert.deepEqual(report.broken, [], JSON.stringify(report.answers, undefined, 1));
});
