/** Planted bugs of what stands between other machines and a node: signature checks, frames, links, visits, keys and logins. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const POOL = 'node/crypto/verify-pool.ts';
const POOL_TEST = 'test/unit/node/crypto/verify-pool.test.ts';
const LINK = 'node/network/link.ts';
const LINK_TEST = 'test/unit/node/network/link.test.ts';

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
    name: 'checks that come back while the living threads are busy are forgotten',
    file: POOL,
    from: ' || this.#returned.length > 0) this.#schedule();',
    to: ') this.#schedule();',
    test: POOL_TEST,
    only: 'not replaced',
  },
  {
    name: 'a pool stops when the first of its batches is answered',
    file: POOL,
    from: '      else if (!this.#busy()) this.#idle?.();',
    to: '      else this.#idle?.();',
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
  {
    name: 'a peer that has not greeted has a frame of any size kept for it',
    file: LINK,
    from: ', HELLO_BYTES_MAX);',
    to: ');',
    test: LINK_TEST,
    only: 'no more than a greeting',
  },
  {
    name: 'what was sent before a link has ended is delivered after its end',
    file: LINK,
    from: "      if (this.#state === 'open') this.#events.onFrame(this, frame);\n      else if (this.#state === 'greeting') this.#onHello(frame);",
    to: "      if (this.#state === 'greeting') this.#onHello(frame);\n      else this.#events.onFrame(this, frame);",
    test: LINK_TEST,
    only: 'nothing after its end',
  },
  {
    name: 'what waits for a peer has no bound',
    file: LINK,
    from: '    if (this.#queue.bytes + frame.length > SEND_QUEUE_BYTES_MAX[this.channel]) return false;\n',
    to: '',
    test: LINK_TEST,
    only: 'up to the bounds',
  },
  {
    name: 'a stream that is full is written to all the same',
    file: LINK,
    from: '        if (this.#stream.writableNeedsDrain) return; // `drain` schedules the next turn\n',
    to: '',
    test: LINK_TEST,
    only: 'waits where the stream is full',
  },
  {
    name: 'a link whose other side is slow is cut like one that takes nothing',
    file: LINK,
    from: '|| this.#taken !== this.#moved.taken) this.#moved',
    to: ') this.#moved',
    test: LINK_TEST,
    only: 'not when it is slow',
  },
  {
    name: 'one end of a link is told twice',
    file: LINK,
    from: "  abort(code: ErrorCode): void {\n    if (this.#state === 'closed') return;\n",
    to: '  abort(code: ErrorCode): void {\n',
    test: LINK_TEST,
    only: 'however it is noticed',
  },
];
