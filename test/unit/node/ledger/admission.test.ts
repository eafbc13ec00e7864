/** What admission refuses and up to which bounds it does not; where transactions come in is tested there (mempool, executor). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountKey, isWithin } from '../../../../contracts/index.ts';
import { defaultParameters, type SignedTransaction, TRANSACTION_BYTES_MAX } from '../../../../node/format/index.ts';
import { type AccountView, type AdmissionContext, admit } from '../../../../node/ledger/admission.ts';

const NOW_MS = 1_760_000_000_000;
const chainId = new Uint8Array(32);
const parameters = defaultParameters();
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

interface Changed {
  readonly transaction?: Partial<SignedTransaction>;
  readonly context?: Partial<AdmissionContext>;
  readonly bytes?: number;
}

function codeAt(account: Partial<AccountView>, key: Partial<AccountKey> = {}, changed: Changed = {}): string {
  const held: AccountKey = {
    ...{ keyId: 'k', publicKey: '07'.repeat(32), suite: 1, kind: 'own', node: null, scope: ['*'], validTo: null, revoked: false },
    ...key,
  };
  const view: AccountView = {
    ...{ id: 'a@acme', organisation: 'acme', validFrom: null, validTo: null, roles: [] },
    keys: new Map([['k', { key: held, publicKey: new Uint8Array(32) }]]),
    ...account,
  };
  const context = { chainId, height: 1, timestampMs: NOW_MS, parameters, account: () => view, spent: () => false, ...changed.context };
  return admit(new Uint8Array(changed.bytes ?? 10), new Uint8Array(32), { ...transaction, ...changed.transaction }, context).code;
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

test('a transaction stands in a block within its bounds, and past each of them it is refused by name', () => {
  const { transactionGasMax, txLifetimeBlocksMax } = parameters;
  const [call] = transaction.calls;
  const other = { ...call!, contract: 'registry' };
  const cases: readonly (readonly [code: string, changed: Changed, key?: Partial<AccountKey>])[] = [
    ['OK', { bytes: TRANSACTION_BYTES_MAX }],
    ['TRANSACTION_TOO_LARGE', { bytes: TRANSACTION_BYTES_MAX + 1 }],
    ['TRANSACTION_CHAIN_FOREIGN', { transaction: { chainId: new Uint8Array(32).fill(1) } }],
    ['TRANSACTION_EMPTY', { transaction: { calls: [] } }],
    ['TRANSACTION_GAS_LIMIT', { transaction: { gasLimit: 0 } }],
    ['OK', { transaction: { gasLimit: transactionGasMax } }],
    ['TRANSACTION_GAS_LIMIT', { transaction: { gasLimit: transactionGasMax + 1 } }],
    ['OK', { context: { height: transaction.expiryHeight } }],
    ['TRANSACTION_EXPIRED', { context: { height: transaction.expiryHeight + 1 } }],
    ['OK', { transaction: { expiryHeight: 1 + txLifetimeBlocksMax } }],
    ['TRANSACTION_EXPIRY_TOO_FAR', { transaction: { expiryHeight: 2 + txLifetimeBlocksMax } }],
    ['TRANSACTION_REPEATED', { context: { spent: (_id, expiryHeight) => expiryHeight === transaction.expiryHeight } }],
    ['TRANSACTION_SENDER_UNKNOWN', { context: { account: () => undefined } }],
    ['TRANSACTION_KEY_UNKNOWN', { transaction: { keyId: 'k2' } }],
    ['TRANSACTION_KEY_UNKNOWN', {}, { revoked: true }],
    ['TRANSACTION_KEY_UNKNOWN', {}, { suite: 2 }],
    ['OK', {}, { scope: ['records'] }],
    ['TRANSACTION_KEY_UNKNOWN', {}, { scope: [] }],
    ['TRANSACTION_KEY_UNKNOWN', { transaction: { calls: [call!, other] } }, { scope: ['records'] }],
    ['OK', { transaction: { calls: [call!, other] } }, { scope: ['registry', 'records'] }],
  ];
  for (const [code, changed, key] of cases) assert.equal(codeAt({}, key, changed), code, JSON.stringify([changed, key]));
});
