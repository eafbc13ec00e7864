/** Transactions that no node may take, sent as bytes to a node of a running devnet. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  encodeTransaction,
  fromHex,
  openTransaction,
  type SignedTransaction,
  signTransaction,
  type Transaction,
  toHex,
  utf8,
} from '../../node/format/index.ts';
import { NODE_KEY } from '../../node/keystore/index.ts';
import { PATIENCE_MS } from '../conformance/context.ts';
import { keystoreOf, realCrypto, signEd25519, type TestNet } from './net.ts';

const GAS = 50_000_000;

/** What nodes answer to each; of `senders` callers with one good transaction all learn the same of it. @throws AssertionError */
export async function checkTransactions({ net, context }: TestNet, senders: number): Promise<void> {
  const crypto = realCrypto();
  const keystore = await keystoreOf(net, 0);
  const consensus = await context.get(0, 'consensus');
  const height = await context.height(0);
  const base: Transaction = {
    chainId: fromHex(consensus.chainId),
    sender: context.actor.account,
    keyId: context.genesis.nodes[0]!.id,
    salt: new Uint8Array(randomBytes(16)),
    expiryHeight: height + 500,
    calls: [{ contract: 'audit', method: 'no-such-method', args: utf8('{}') }],
    gasLimit: GAS,
    suite: 1,
  };
  const signed = (change: Partial<Transaction>) =>
    signTransaction(crypto, { ...base, salt: new Uint8Array(randomBytes(16)), ...change }, (message) =>
      keystore.sign(NODE_KEY.custodial, message),
    );
  const send = async (bytes: Uint8Array) => {
    const answer = await context.call(0, 'POST', 'transactions', { body: bytes, type: 'application/octet-stream' });
    return [answer.status, answer.json.code];
  };
  assert.deepEqual(await send(signed({ chainId: new Uint8Array(32) }).bytes), [400, 'TRANSACTION_CHAIN_FOREIGN']);
  assert.deepEqual(await send(signed({ expiryHeight: 0 }).bytes), [409, 'TRANSACTION_EXPIRED']);
  assert.deepEqual(await send(signed({ expiryHeight: height + 10_000_000 }).bytes), [400, 'TRANSACTION_EXPIRY_TOO_FAR']);
  assert.deepEqual(await send(signed({ calls: [] }).bytes), [400, 'TRANSACTION_EMPTY']);
  assert.deepEqual(await send(signed({ sender: 'nobody@nowhere' }).bytes), [403, 'TRANSACTION_SENDER_UNKNOWN']);
  assert.deepEqual(await send(signed({ keyId: 'lost' }).bytes), [403, 'TRANSACTION_KEY_UNKNOWN']);

  const good = signed({});
  const withSignature = (signature: Uint8Array) => encodeTransaction({ ...(good.transaction as SignedTransaction), signature });
  const { signature } = good.transaction;
  for (const [what, odd] of Object.entries(oddSignatures(signature)))
    assert.deepEqual(await send(withSignature(odd)), [403, 'TRANSACTION_SIGNATURE_INVALID'], what);
  const foreign = signTransaction(crypto, base, (message) => signEd25519(randomBytes(32), message));
  assert.deepEqual(await send(foreign.bytes), [403, 'TRANSACTION_SIGNATURE_INVALID']);
  for (const cut of [0, 1, 40, good.bytes.length - 1])
    assert.deepEqual(await send(good.bytes.subarray(0, cut)), [400, 'TRANSACTION_MALFORMED'], `cut after ${cut} bytes`);
  assert.deepEqual(await send(Buffer.concat([good.bytes, Buffer.of(0)])), [400, 'TRANSACTION_MALFORMED']);

  const together = await Promise.all(Array.from({ length: senders }, () => send(good.bytes)));
  const answers = together.filter(([, code]) => code !== 'TRANSACTION_REPEATED'); // of those that came when it was final
  assert.equal(answers.length > 1 && new Set(answers.map(String)).size === 1, true, `all learn what became of it: ${together.join(' ')}`);
  assert.equal(Number(answers[0]![0]) < 500, true, 'the rightly signed one goes into a block; its call fails there');
  const id = toHex(openTransaction(crypto, good.bytes).id);
  await context.until(
    'the transaction to be final',
    PATIENCE_MS,
    async () => (await context.get(0, `transactions/${id}`)).state === 'confirmed',
  );
  assert.deepEqual(await send(good.bytes), [409, 'TRANSACTION_REPEATED']);
}

/** Signatures that some verifier or other accepts and none here may (RFC 8032 §5.1.7 read strictly). */
function oddSignatures(signature: Uint8Array): Readonly<Record<string, Uint8Array>> {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar = BigInt(`0x${toHex(signature.slice(32).reverse())}`);
  const withScalar = (value: bigint) =>
    Uint8Array.from([...signature.slice(0, 32), ...Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))]);
  const identity = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0));
  return {
    'S + L, which is the same modulo the order': withScalar(scalar + order),
    'S = 0': withScalar(0n),
    'all zero': new Uint8Array(64),
    'R of small order': Uint8Array.from([...identity, ...signature.slice(32)]),
    'R not canonical (y = p + 1)': Uint8Array.from([...Uint8Array.from([0xee, ...new Array(30).fill(0xff), 0x7f]), ...signature.slice(32)]),
    'one bit of R': Uint8Array.from(signature, (byte, i) => (i === 3 ? byte ^ 1 : byte)),
    'one bit of S': Uint8Array.from(signature, (byte, i) => (i === 40 ? byte ^ 1 : byte)),
    empty: new Uint8Array(0),
    'a byte short': signature.slice(0, 63),
    'a byte long': Uint8Array.from([...signature, 0]),
    twice: Uint8Array.from([...signature, ...signature]),
  };
}
