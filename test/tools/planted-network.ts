/** Planted bugs of what stands between other machines and a node: signature checks, frames, links, visits, keys and logins. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const POOL = 'node/crypto/verify-pool.ts';
const POOL_TEST = 'test/unit/node/crypto/verify-pool.test.ts';

export const plantedNetwork: readonly PlantedBug[] = [
  {
    name: 'checks wait for ever when no thread for them is alive',
    file: POOL,
    from: 'if (this.#lanes.every((lane) => lane.worker === undefined)) {',
    to: 'if (this.#lanes.length === 0) {',
    test: POOL_TEST,
    only: 'keep dying',
  },
  {
    name: 'checks are sent to a thread that has died',
    file: POOL,
    from: 'lane.worker === undefined || lane.inFlight.size >=',
    to: 'lane.inFlight.size >=',
    test: POOL_TEST,
    only: 'keep dying',
  },
  {
    name: 'a batch that kills threads goes to the next one',
    file: POOL,
    from: '      batch.attempts++;\n',
    to: '',
    test: POOL_TEST,
    only: 'two workers died of',
  },
  {
    name: 'a pool is stopped while a thread checks, and starts another',
    file: POOL,
    from: ' || this.#lanes.some((lane) => lane.inFlight.size > 0);',
    to: ';',
    test: POOL_TEST,
    only: 'stopping finishes',
  },
  {
    name: 'a batch holds any number of bytes, and small checks wait for large ones',
    file: POOL,
    from: ' && bytes < VERIFY_BATCH_BYTES_MAX',
    to: '',
    test: POOL_TEST,
    only: 'fills a batch',
  },
];
