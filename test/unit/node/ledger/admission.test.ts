/** The ends of validity at admission; every other refusal is tested where transactions come in (mempool, executor). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountKey, isWithin } from '../../../../contracts/index.ts';
import { defaultParameters, type SignedTransaction } from '../../../../node/format/index.ts';
import { type AccountView, admit } from '../../../../node/ledger/admission.ts';

const NOW_MS = 1_760_000_000_000;
const chainId = new Uint8Array(32);
const transaction: SignedTransaction = {
  chainId,
  expiryHeight: 5,
  salt: new Uint8Array(16),
  sender: 'a@acme',
  keyId: 'k',
  suite: 1,
  gasLimit: 1,
  calls: [{ contract: 'records', method: 'submit', args: new Uint8Array(0) }],
  signature: new Uint8Array(64),
};

function codeAt(account: Partial<AccountView>, key: Partial<AccountKey> = {}): string {
  const held: AccountKey = {
    ...{ keyId: 'k', publicKey: '07'.repeat(32), suite: 1, kind: 'own', node: null, scope: ['*'], validTo: null, revoked: false },
    ...key,
  };
  const view: AccountView = {
    ...{ id: 'a@acme', organisation: 'acme', validFrom: null, validTo: null, roles: [] },
    keys: new Map([['k', { key: held, publicKey: new Uint8Array(32) }]]),
    ...account,
  };
  const context = { chainId, height: 1, timestampMs: NOW_MS, parameters: defaultParameters(), account: () => view, spent: () => false };
  return admit(new Uint8Array(10), new Uint8Array(32), transaction, context).code;
}

test('an account and a key hold from their first moment on and no longer at their end, as everything registered does', () => {
  assert.equal(codeAt({ validFrom: NOW_MS, validTo: NOW_MS + 1 }, { validTo: NOW_MS + 1 }), 'OK');
  assert.equal(codeAt({ validFrom: NOW_MS + 1 }), 'TRANSACTION_SENDER_UNKNOWN');
  assert.equal(codeAt({ validTo: NOW_MS }), 'TRANSACTION_SENDER_UNKNOWN');
  assert.equal(codeAt({}, { validTo: NOW_MS }), 'TRANSACTION_KEY_UNKNOWN');
  assert.deepEqual(
    [0, 1, 2, 3].map((at) => isWithin({ validFrom: 1, validTo: 3 }, at)),
    [false, true, true, false],
  );
});
