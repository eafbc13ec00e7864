/** What may be of sealed values: at a node, and in what another node sends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '../../../../node/format/index.ts';
import type { Requests } from '../../../../node/peers/index.ts';
import {
  aesGcm,
  createSealedReplication,
  createSealedStore,
  SEALED_BYTES_MAX,
  sealedBytes,
  type SealedValue,
} from '../../../../node/records/index.ts';
import { SEALED_BOX_BYTES_MAX } from '../../../../node/records/sealed-replication.ts';
import { encodeValues } from '../../../../node/records/sealed-values.ts';
import { FRAME_BYTES_MAX } from '../../../../node/world.ts';
import { world } from '../peers/stand-in.ts';
import { createMemoryStore, heldOf, pause } from './memory-store.ts';
import { crypto } from './sample.ts';

const key = new Uint8Array(32).fill(5);
const recordId = new Uint8Array(32).fill(9);
const { random } = world;

function value(path: string, bytes: number): SealedValue {
  return { path, value: 'x'.repeat(bytes), salt: new Uint8Array(32), commitment: path.padStart(64, '0') };
}

function rig() {
  const store = createMemoryStore();
  return { store, sealed: createSealedStore(store, aesGcm, random, key, pause) };
}

test('the bytes of values are those that are written', () => {
  const values = [value('a', 3), { ...value('b', 0), value: '工𐍈é' }, value('c', 200_000)];
  const steps = encodeValues(values);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  assert.equal(step.value.length, sealedBytes(values));
});

test('a node keeps as many bytes of values as it may have of one record, over all of its versions', async () => {
  const { sealed } = rig();
  await sealed.put([{ recordId, sealed: [value('a', SEALED_BYTES_MAX / 2)] }]);
  await assert.rejects(sealed.put([{ recordId, sealed: [value('b', SEALED_BYTES_MAX / 2)] }]), { code: 'RECORD_TOO_LARGE' });
  assert.equal(heldOf(sealed, recordId).length, 1, 'what was there stays');
  await sealed.put([{ recordId, sealed: [value('b', SEALED_BYTES_MAX / 2 - 1_000)] }]);
  assert.equal(heldOf(sealed, recordId).length, 2);
});

test('what another node sends of one record is bounded before it is opened, and the largest fits into an answer', async () => {
  assert.ok(SEALED_BOX_BYTES_MAX + 1_024 <= FRAME_BYTES_MAX.bulk);
  const reported: string[] = [];
  let opened = 0;
  let heard!: (node: string) => void;
  const { store, sealed } = rig();
  const log = new Uint8Array(16).fill(1);
  const boxes = [{ sequence: 1, keyId: 'k', box: new Uint8Array(SEALED_BOX_BYTES_MAX + 1) }];
  const requests = {
    serve: () => undefined,
    sendSealedHead: () => undefined,
    onSealedHead: (listener: typeof heard) => {
      heard = listener;
    },
    getSealed: async (_node: string, asked: Uint8Array) => ({ log, boxes: equalBytes(asked, log) ? [] : boxes }),
  };
  const replication = createSealedReplication({
    world: { ...world, random, crypto },
    network: { onPeer: () => undefined, peers: () => [], report: (_, code) => reported.push(code) },
    requests: requests as unknown as Requests,
    sealed,
    store,
    aead: {
      ...aesGcm,
      open: (...box) => {
        opened++;
        return aesGcm.open(...box);
      },
    },
    sealingKeys: () => [{ id: 'k', secret: key }],
    isOwn: () => true,
    isForeign: () => false,
    onKeysDiffer: () => undefined,
    onKeysFit: () => undefined,
  });
  heard('a');
  await replication.stop();
  assert.deepEqual([reported, opened], [['PEER_MESSAGE_MALFORMED'], 0]);
});
