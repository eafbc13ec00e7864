/** Transactions of proposals that were voted for: there after a loss of power, gone when their height is final. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transactionHashOf, utf8 } from '../../../node/format/index.ts';
import { openPendingBodies, type PendingBodies } from '../../../node/pending-bodies.ts';
import { simulatedMachine } from './simulated-machine.ts';

test('what was saved outlives a loss of power, height by height, until the height is final', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { machine, scheduler, keys } = simulatedMachine(seed);
    const during = async <T>(work: Promise<T>): Promise<T> => {
      let over = false;
      const watched = work.finally(() => {
        over = true;
      });
      await scheduler.run(scheduler.nowMs + 1_000, () => over);
      return watched;
    };
    const bodies = ['one', 'two', 'three'].map((name) => utf8(name));
    const held = (pending: PendingBodies) => bodies.map((body) => pending.transaction(transactionHashOf(keys, body)) !== undefined);
    const open = () => during(openPendingBodies(machine.boot().openStore('local'), keys));
    const pending = await open();
    await during(pending.save(5, keys.hash(utf8('a')), [bodies[0]!, bodies[1]!]));
    await during(pending.save(6, keys.hash(utf8('b')), [bodies[2]!]));
    machine.crash();
    const again = await open();
    assert.deepEqual(held(again), [true, true, true], `seed ${seed}`);
    await during(again.drop(5));
    assert.deepEqual(held(again), [false, false, true]);
  }
});
