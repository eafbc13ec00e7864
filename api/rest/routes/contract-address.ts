/** Which contract an operation means: its address as a parameter, and its entry in the state. */
import { Type } from '@sinclair/typebox';
import { CONTRACT, deployedKey, stateKey } from '../../../contracts/index.ts';
import { ChainError } from '../../../node/errors/index.ts';
import { decodeJson } from '../../../node/format/index.ts';
import type { ApiContext } from '../context.ts';
import { inPath } from '../schema.ts';

/** Built-in contracts are asked by name, deployed ones by address. */
export const addressParameter = inPath(
  Type.String({ minLength: 3, maxLength: 42, pattern: '^(0x[0-9a-f]{40}|[a-z]{3,32})$' }),
  `0x${'1'.repeat(40)}`,
  {
    en: 'Address of a deployed contract, or the name of a built-in one',
    zh: '已部署合约的地址，或内置合约的名称',
  },
);
/** Built-in contracts are changed through routes of their own, which ask for their own rights and step-up. */
export const deployedAddress = inPath(Type.String({ minLength: 42, maxLength: 42, pattern: '^0x[0-9a-f]{40}$' }), `0x${'1'.repeat(40)}`, {
  en: 'Address of a deployed contract',
  zh: '已部署合约的地址',
});

/** @throws ChainError CONTRACT_NOT_FOUND */
export function contractEntry(address: string, api: ApiContext): unknown {
  const bytes = api.node.state.get(stateKey(CONTRACT.deployed, deployedKey.contract(address)));
  if (bytes === undefined) throw new ChainError('CONTRACT_NOT_FOUND', { address });
  return decodeJson(bytes);
}
