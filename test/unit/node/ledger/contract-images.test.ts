/** Images of contracts over restarts: stored, checked, at hand before anything runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IMAGES_TOTAL_BYTES_MAX, type QuickJsMachine, stateKey } from '../../../../contracts/index.ts';
import { type ByteText, fromUtf8, utf8 } from '../../../../node/format/index.ts';
import { createLedgerImages } from '../../../../node/ledger/contract-images.ts';
import { ledgerKey } from '../../../../node/ledger/keys.ts';
import { createStateRows, stateOperations } from '../../../../node/ledger/state-rows.ts';
import { MemoryStore } from '../../../tools/memory-store.ts';
import { call, Chain, newMachine } from '../../contracts/workbench.ts';

const CODE = 'const words = ["a", "b"]; contract({ events: { E: "text" }, methods: { m(ctx) { return words.length; } } });';

interface Bench {
  readonly chain: Chain;
  readonly store: MemoryStore;
  follow(before: ReadonlyMap<ByteText, Uint8Array>): Promise<void>;
}

/** A chain whose state also stands in a store, as blocks put it there. */
async function bench(machine: QuickJsMachine): Promise<Bench> {
  const chain = new Chain({ machine });
  const store = new MemoryStore();
  const images = createLedgerImages({ store, state: createStateRows(store), machine });
  await images.open();
  let height = 0;
  return {
    chain,
    store,
    async follow(before) {
      const changed = [...chain.state].filter(([key, value]) => before.get(key) !== value);
      const writes = changed.map(([key, value]) => ({ key, value }));
      const rows = writes.flatMap(({ key, value }) => stateOperations(++height, key, value));
      await store.batch([...rows, ...images.follow(writes, (key) => chain.state.get(key))]);
    },
  };
}

/** A restart: a new machine over the same store. Counts how often code was run to make an image. */
async function restarted(store: MemoryStore) {
  const machine = await newMachine();
  let loads = 0;
  const counted = Object.create(machine, {
    load: {
      value: (...args: Parameters<QuickJsMachine['load']>) => {
        loads++;
        return machine.load(...args);
      },
    },
    ...Object.fromEntries(
      (['adopt', 'keep', 'release', 'imageOf'] as const).map((name) => [name, { value: (machine[name] as () => unknown).bind(machine) }]),
    ),
  }) as QuickJsMachine;
  await createLedgerImages({ store, state: createStateRows(store), machine: counted }).open();
  return { machine, loads };
}

async function deployed() {
  const one = await bench(await newMachine());
  const address = one.chain.deploy(CODE);
  await one.follow(new Map());
  const { codeDigest } = JSON.parse(fromUtf8(one.chain.state.get(stateKey('contracts', `e${address}`))!)) as { codeDigest: string };
  return { ...one, address, codeDigest };
}

test('a start reads the images of live contracts and runs no code; the image is the one of the deploy receipt', async () => {
  const { store, codeDigest } = await deployed();
  const { machine, loads } = await restarted(store);
  assert.equal(loads, 0);
  assert.deepEqual(machine.imageOf(codeDigest), store.get(ledgerKey.contractImage(codeDigest)));
});

test('an image that was lost or changed on disk is made from the code again, and stored', async () => {
  const { store, codeDigest } = await deployed();
  const key = ledgerKey.contractImage(codeDigest);
  const image = store.get(key)!;
  const bent = image.slice();
  bent[bent.length - 1]! ^= 1;
  for (const value of [undefined, bent, image.subarray(4)]) {
    await store.batch([{ key, value }]);
    assert.equal((await restarted(store)).loads, 1);
    assert.deepEqual(store.get(key), image);
  }
});

test('the image goes with the last contract that runs it', async () => {
  const { chain, store, follow, address, codeDigest } = await deployed();
  const step = async (work: () => void) => {
    const before = new Map(chain.state);
    work();
    await follow(before);
    return store.get(ledgerKey.contractImage(codeDigest)) !== undefined;
  };
  let second = '';
  assert.equal(await step(() => (second = chain.deploy(CODE))), true);
  assert.equal(await step(() => chain.execute([call('contracts', 'terminate', { address })])), true);
  assert.equal(await step(() => chain.execute([call('contracts', 'pause', { address: second })])), true);
  assert.equal(await step(() => chain.execute([call('contracts', 'terminate', { address: second })])), false);
  assert.equal((await restarted(store)).loads, 0);
});

test('the image of a live contract gives way to no others, and that of a terminated one does', async () => {
  const machine = await newMachine();
  const { chain, follow } = await bench(machine);
  const address = chain.deploy(CODE);
  await follow(new Map());
  const { codeDigest } = JSON.parse(fromUtf8(chain.state.get(stateKey('contracts', `e${address}`))!)) as { codeDigest: string };
  const loadOthers = (seed: string): void => {
    for (let bytes = 0, i = 0; bytes <= IMAGES_TOTAL_BYTES_MAX; i++)
      bytes += machine.load(utf8(`const text = "${seed}${i}".repeat(2_000_000); contract({ methods: { m() {} } });`)).imageBytes;
  };
  loadOthers('a');
  assert.notEqual(machine.imageOf(codeDigest), undefined);
  const before = new Map(chain.state);
  chain.execute([call('contracts', 'terminate', { address })]);
  await follow(before);
  loadOthers('b');
  assert.equal(machine.imageOf(codeDigest), undefined);
});

test('code that gives another image than its receipt says stops the node before it votes', async () => {
  const { store, address } = await deployed();
  const key = ledgerKey.state(stateKey('contracts', `e${address}`));
  const rows = createStateRows(store);
  const entry = JSON.parse(fromUtf8(rows.get(key)!)) as object;
  const changed = new TextEncoder().encode(JSON.stringify({ ...entry, imageDigest: '0'.repeat(64) }));
  await store.batch(stateOperations(99, stateKey('contracts', `e${address}`), changed));
  await assert.rejects(restarted(store), { name: 'ExecutionFault' });
});
