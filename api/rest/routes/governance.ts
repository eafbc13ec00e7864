/** Changes of the chain itself: proposals of organisations, their votes, and the parameters in force (DB53 6.3). */
import { Type } from '@sinclair/typebox';
import { CONTRACT, governanceKey } from '../../../contracts/index.ts';
import { parameterNames, type ParameterRow, parameterTable } from '../../../node/format/index.ts';
import { API_PREFIX, type Route } from '../route.ts';
import { choiceOf, field, inPath, strictObject } from '../schema.ts';
import { listAnswer, listOf, Row } from './parts.ts';
import { listRoute, readRoute, statePages, submitRoute } from './shapes.ts';
import { encodeArgs, submitCalls } from './submission.ts';

/**
 * Gas limit of a vote: a trial cannot say which vote will be the last one, and that writes what was proposed. Twice the dearest, which suspends an
 * organisation of nearly all the validators there may be, and less than a sender who sends little has of his own (node/chain/mempool/gas-shares.ts).
 */
export const VOTE_GAS = 4_000_000_000;

const listProposals = listRoute({
  operationId: 'listProposals',
  url: `${API_PREFIX}/governance/proposals`,
  layer: 'consensus',
  summary: { en: 'Proposals and their votes', zh: '治理提案及投票情况' },
  access: { right: 'chain:read' },
  page: statePages(CONTRACT.governance, governanceKey.proposals),
});

const getParameters = readRoute({
  operationId: 'getParameters',
  url: `${API_PREFIX}/governance/parameters`,
  layer: 'consensus',
  summary: { en: 'Chain parameters in force, with range, unit and meaning', zh: '当前生效的链参数及其范围、单位与含义' },
  access: { right: 'chain:read', own: true }, // the same for everybody
  response: { schema: listOf(Row), statuses: [200] },
  handler: (_call, { node }) => {
    const values = node.parameters();
    const items = parameterNames.map((name) => {
      const { min, max, unit, description, default: fallback }: ParameterRow = parameterTable[name];
      return { name, value: values[name], min, max, default: fallback, unit, description };
    });
    return { data: listAnswer(items, node.head().height) };
  },
});

const proposeChange = submitRoute({
  operationId: 'proposeChange',
  url: `${API_PREFIX}/governance/proposals`,
  layer: 'consensus',
  summary: { en: 'Propose a change of the chain, to be decided by votes of organisations', zh: '提出链的变更提案，由各组织投票决定' },
  access: { right: 'governance:propose' },
  stepUp: true,
  rateLimit: { count: 10, perMs: 1_000 },
  body: {
    formats: ['application/json'],
    schema: Type.Object(
      {
        kind: field(Type.String({ minLength: 1, maxLength: 64 }), 'setParameter', {
          en: 'addOrganisation, suspendOrganisation, resumeOrganisation, addNode, suspendNode, resumeNode, replaceValidatorKey or setParameter; the other fields are those of the kind',
          zh: '提案类型：addOrganisation、suspendOrganisation、resumeOrganisation、addNode、suspendNode、resumeNode、replaceValidatorKey 或 setParameter；其余字段由类型决定',
        }),
      },
      { additionalProperties: true }, // the contract names bad fields of each kind itself
    ),
    bytesMax: 262_144,
    example: '{"kind":"setParameter","name":"viewTimeoutMs","value":3000}',
    description: { en: 'The change', zh: '变更内容' },
  },
  handler: async (call, api) => {
    const args = await encodeArgs(api, call.body);
    return await submitCalls(call, api, [{ contract: CONTRACT.governance, method: 'propose', args }]);
  },
});

const voteOnProposal = submitRoute({
  operationId: 'voteOnProposal',
  url: `${API_PREFIX}/governance/proposals/:id/votes`,
  layer: 'consensus',
  summary: { en: 'Vote for the organisation of the account', zh: '代表账户所属组织投票' },
  access: { right: 'governance:vote' },
  stepUp: true,
  rateLimit: { count: 10, perMs: 1_000 },
  parameters: {
    id: inPath(Type.String({ minLength: 1, maxLength: 8, pattern: '^[0-9]{1,8}$' }), '00000001', {
      en: 'Proposal',
      zh: '提案编号',
    }),
  },
  body: {
    formats: ['application/json'],
    schema: strictObject({
      vote: field(choiceOf('yes', 'no'), 'yes', { en: 'yes or no', zh: 'yes 表示赞成，no 表示反对' }),
    }),
    bytesMax: 4_096,
    example: '{"vote":"yes"}',
    description: { en: 'The vote', zh: '投票' },
  },
  handler: async (call, api) => {
    const args = await encodeArgs(api, { id: call.parameters.id, approve: call.body.vote === 'yes' });
    const gasLimit = Math.min(VOTE_GAS, api.node.parameters().transactionGasMax);
    return await submitCalls(call, api, [{ contract: CONTRACT.governance, method: 'vote', args }], gasLimit);
  },
});

export const governanceRoutes: readonly Route[] = [listProposals, getParameters, proposeChange, voteOnProposal];
