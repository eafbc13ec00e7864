/** From calls to the receipt that a caller gets: sign, admit, wait, answer. Shared by contracts, governance and transactions. */
import { Type } from '@sinclair/typebox';
import { ChainError, isErrorCode } from '../../../node/errors/index.ts';
import { type Digest, fromHex, toHex } from '../../../node/format/index.ts';
import type { TransactionStatus } from '../../../node/service.ts';
import type { ApiContext } from '../context.ts';
import type { ContractCall } from '../deps.ts';
import type { Call, Reply } from '../call.ts';
import { encodeJsonSteps } from '../text-steps.ts';
import { type Confirmed, confirmedAnswer, confirmedSteps } from './confirmed-answer.ts';
import { jsonOrBytes, type WaitParameters } from './parts.ts';

export const ReceiptAnswer = Type.Object(
  {
    transactionId: Type.String(),
    status: Type.Union([Type.Literal('confirmed'), Type.Literal('pending')]),
    height: Type.Union([Type.Integer(), Type.Null()]),
    blockHash: Type.Union([Type.String(), Type.Null()]),
  },
  { additionalProperties: true },
);
export const receiptResponse = { schema: ReceiptAnswer, statuses: [200, 202] } as const;

/** A limit that the caller leaves open is so many times the gas of the trial, because the state may change before the block, */
export const TRIAL_GAS_FACTOR = 2;
/** and so much more gas, about four records. */
export const TRIAL_GAS_SPARE = 100_000_000;

/** @throws ChainError REQUEST_INVALID for what canonical JSON cannot carry (fractions, unpaired surrogates) */
export async function encodeArgs({ paced }: Pick<ApiContext, 'paced'>, args: unknown, pointer = '/args'): Promise<Uint8Array> {
  try {
    return await paced(encodeJsonSteps(args));
  } catch (error) {
    if (error instanceof ChainError) throw error;
    throw new ChainError('REQUEST_INVALID', {
      details: [{ code: 'FIELD_RANGE', pointer, message: error instanceof Error ? error.message : 'invalid' }],
    });
  }
}

/**
 * @param gasAsked 0 for a limit near what the calls use: what waits is counted by its limit, and with the largest it would stand in a line with the
 * dearest calls
 */
export async function submitCalls(
  call: Call<WaitParameters>,
  api: ApiContext,
  calls: readonly ContractCall[],
  gasAsked = 0,
): Promise<Reply> {
  api.node.checkBacklog(call.caller.account);
  const gasMax = api.node.parameters().transactionGasMax;
  const gasTried = await tryBeforeSigning(call, api, calls, gasAsked === 0 ? gasMax : gasAsked);
  const gasByTrial = gasTried === undefined ? gasMax : Math.min(TRIAL_GAS_FACTOR * gasTried + TRIAL_GAS_SPARE, gasMax);
  const bytes = await api.node.signFor(call.caller.account, calls, gasAsked === 0 ? gasByTrial : gasAsked);
  return await submitBytes(call, api, bytes);
}

/**
 * What the chain would refuse now is refused without a transaction. Calls that are sent without waiting for each may build on one another: those the
 * chain alone can judge.
 * @returns the gas used; undefined when nothing was tried, or to no end
 */
async function tryBeforeSigning(
  call: Call<WaitParameters>,
  api: ApiContext,
  calls: readonly ContractCall[],
  gasLimit: number,
): Promise<number | undefined> {
  if (call.parameters.wait === 'async') return undefined;
  const verdict = await api.node.judge(call.caller.account, calls, gasLimit);
  if (verdict === undefined || verdict.code === 'OK') return verdict?.gasUsed;
  throw refusedError(verdict.code, verdict.detail, { height: verdict.height });
}

/** A refusal by a contract, before signing or in a receipt. A contract's own code stands in the facts; the refusal's is that of the answer. */
function refusedError(code: string, detail: Uint8Array, where: Readonly<Record<string, unknown>>): ChainError {
  const known = isErrorCode(code) && code !== 'OK' ? code : 'TRANSACTION_FAILED';
  return new ChainError(known, { code, ...asFacts(jsonOrBytes(detail)), ...where });
}

export async function submitBytes(call: Call<WaitParameters>, api: ApiContext, bytes: Uint8Array): Promise<Reply> {
  return receiptReply(call, api, await api.node.submit(bytes));
}

/** @throws ChainError TRANSACTION_FAILED, or the code of the contract or of the refusal */
export async function receiptReply(call: Call<WaitParameters>, api: ApiContext, id: Digest): Promise<Reply> {
  const { wait, timeoutMs } = call.parameters;
  const waitMs = wait === 'async' ? 0 : timeoutMs;
  const status = waitMs === 0 ? await api.node.transaction(id) : await api.node.awaitTransaction(id, waitMs);
  return statusReply(api, id, status);
}

/** For `resume`: the same transaction again, as it stands now. */
export async function resumeSubmission(call: Call<WaitParameters>, api: ApiContext, data: unknown): Promise<Reply> {
  return await receiptReply(call, api, fromHex((data as { transactionId: string }).transactionId));
}

function statusReply(api: ApiContext, id: Digest, status: TransactionStatus): Reply | Promise<Reply> {
  switch (status.state) {
    case 'confirmed': {
      const { receipt } = status;
      if (receipt.status === 'failed') {
        const { height, failedCall } = receipt;
        throw refusedError(receipt.code, receipt.detail, { transactionId: toHex(id), height, failedCall });
      }
      const data = confirmedAnswer(status);
      return data ? { data } : confirmedReply(api, status);
    }
    case 'rejected':
      throw new ChainError(isErrorCode(status.code) ? status.code : 'TRANSACTION_FAILED', { ...status.data, transactionId: toHex(id) });
    case 'expired':
      throw new ChainError('TRANSACTION_EXPIRED', { transactionId: toHex(id), expiryHeight: status.expiryHeight });
    default: {
      const transactionId = toHex(id);
      return {
        data: { transactionId, status: 'pending', height: null, blockHash: null },
        pending: { transactionId },
      };
    }
  }
}

async function confirmedReply({ paced }: ApiContext, status: Confirmed): Promise<Reply> {
  return { data: await paced(confirmedSteps(status), true) };
}

function asFacts(detail: unknown): Readonly<Record<string, unknown>> {
  return typeof detail === 'object' && detail !== null && !Array.isArray(detail) ? (detail as Record<string, unknown>) : {};
}
