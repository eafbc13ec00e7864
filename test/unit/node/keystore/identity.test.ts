import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex } from '../../../../node/format/index.ts';
import {
  addValidatorKey,
  adoptSealingKeys,
  createKeystore,
  createNodeKeys,
  type Keystore,
  NODE_KEY,
  openKeystore,
  rotateSealingKey,
  sealingKeyIds,
  validatorKeyId,
} from '../../../../node/keystore/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'identity-'));
after(() => rmSync(directory, { recursive: true }));
let next = 0;
const freshKeystore = (): Promise<Keystore> => createKeystore(join(directory, `${next++}.json`), 'p', { n: 1_024, r: 8, p: 1 });
const secretsOf = (keystore: Keystore): string[] => sealingKeyIds(keystore).map((id) => toHex(keystore.secret(id)));

test('a node has one key of each kind, made once, and its public keys are told as the registry takes them', async () => {
  const keystore = await freshKeystore();
  await keystore.add(NODE_KEY.token, 'token');
  const keys = await createNodeKeys(keystore);
  const opened = await openKeystore(keystore.path, 'p');
  assert.deepEqual(
    opened.list().map(({ id, kind }) => `${id} ${kind}`),
    ['token token', 'transport transport', 'validator validator', 'custodial custodial', 'storage storage', 'sealing-1 sealing'],
  );
  for (const [name, id] of [
    ['transportKey', NODE_KEY.transport],
    ['validatorKey', NODE_KEY.validator],
    ['tokenKey', NODE_KEY.token],
    ['custodialKey', NODE_KEY.custodial],
  ] as const)
    assert.equal(keys[name], toHex(opened.publicKey(id)));
  assert.deepEqual(await createNodeKeys(opened, new Uint8Array(32)), keys);
  assert.deepEqual(opened.list(), keystore.list());
  assert.deepEqual(secretsOf(opened), secretsOf(keystore));
});

test('a further node of an organisation begins with the sealing key that it is given', async () => {
  const [first, second] = [await freshKeystore(), await freshKeystore()];
  await createNodeKeys(first);
  await createNodeKeys(second, first.secret('sealing-1'));
  assert.deepEqual(secretsOf(second), secretsOf(first));
});

test('the sealing key of the latest period is the last one, past the ninth as well and in whatever order they came', async () => {
  const keystore = await freshKeystore();
  const ids = Array.from({ length: 11 }, (_, i) => `sealing-${i + 1}`);
  for (const id of ids) assert.equal(await rotateSealingKey(keystore), id);
  assert.deepEqual(sealingKeyIds(keystore), ids);
  const other = await freshKeystore();
  for (const id of ['sealing-11', 'sealing-10', 'sealing-2']) await other.add(id, 'sealing');
  await other.add('account', 'account');
  assert.deepEqual(sealingKeyIds(other), ['sealing-2', 'sealing-10', 'sealing-11']);
  assert.deepEqual(await adoptSealingKeys(other, keystore), ids);
  assert.deepEqual([sealingKeyIds(other), secretsOf(other)], [ids, secretsOf(keystore)]);
  assert.deepEqual(await adoptSealingKeys(other, keystore), []);
  assert.equal(await rotateSealingKey(other), 'sealing-12');
});

test('the key that signs votes is the validator key that the chain names', async () => {
  const keystore = await freshKeystore();
  await createNodeKeys(keystore);
  for (const id of ['validator-2', 'validator-3']) {
    const { publicKey, ...entry } = await addValidatorKey(keystore);
    assert.deepEqual(entry, { id, kind: 'validator' });
    assert.equal(validatorKeyId(keystore, publicKey), id);
  }
  for (const registered of [undefined, 'ab'.repeat(32), toHex(keystore.publicKey(NODE_KEY.token))])
    assert.equal(validatorKeyId(keystore, registered), NODE_KEY.validator);
});
