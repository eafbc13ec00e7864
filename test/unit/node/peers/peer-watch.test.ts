import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PEER_CALM_MS, PEER_CUT_OFF, watchPeers } from '../../../../node/peers/peer-watch.ts';
import { Scheduler } from '../../../simulation/scheduler.ts';

test('a peer that is cut off is named by an alarm, with the rule it broke; the alarm goes when the peer has kept to the rules for a while', async () => {
  const scheduler = new Scheduler();
  const said: unknown[] = [];
  let cutOff: (node: string, code: string, forMs: number) => void = () => {};
  watchPeers({
    network: {
      onCutOff: (handler) => {
        cutOff = handler;
      },
    },
    timers: { after: (ms, run) => scheduler.after(ms, run) },
    raise: (kind, severity, detail) => void said.push([kind, severity, detail]),
    resolve: (kind, about) => void said.push([kind, about({ peer: 'b', code: 'X' }), about({ peer: 'c', code: 'X' })]),
  });
  cutOff('b', 'PEER_ANSWER_UNASKED', 60_000);
  await scheduler.run(PEER_CALM_MS);
  cutOff('b', 'PEER_NOT_VALIDATOR', 60_000);
  await scheduler.run(2 * PEER_CALM_MS);
  assert.deepEqual(said, [
    [PEER_CUT_OFF, 'warning', { peer: 'b', code: 'PEER_ANSWER_UNASKED' }],
    [PEER_CUT_OFF, 'warning', { peer: 'b', code: 'PEER_NOT_VALIDATOR' }],
  ]);
  await scheduler.run(2 * PEER_CALM_MS + 60_001);
  assert.deepEqual(said.slice(2), [[PEER_CUT_OFF, true, false]]);
});
