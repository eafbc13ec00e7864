/**
 * Governance: organisations propose, organisations vote, two thirds decide, and the decision stands in the state of the deciding block
 * (design: chain, "Governance"). Where it changes what blocks are judged by, `nextConsensusHash` of that block differs from its
 * `consensusHash`, which makes it a barrier: nothing is proposed above it until it is final. So there is no separate activation step to
 * miss.
 */
import {
  isParameterName,
  isParameterValue,
  type Json,
  type ParameterRow,
  parameterTable,
  SUITE,
  VALIDATORS_MAX,
  validatorsFault,
  decodeJson,
} from '../../node/format/index.ts';
import { type BuiltinContract, ContractFailure, type Host } from '../types.ts';
import { entryOf, type Read, readableWith, readThrough, requireRight } from './access.ts';
import { type Arguments, answer, readArguments } from './arguments.ts';
import {
  engineOf,
  parametersFault,
  parametersOf,
  sortValidators,
  type ValidatorRow,
  validatorRow,
  validatorRowsOf,
} from './configuration.ts';
import { type AccountData, CONTRACT, governanceKey, type NodeData, type RegistryEntry, type RegistryKind } from './layout.ts';
import { accountProblem, nameProblem, titleProblem } from './names.ts';
import { type AcceptKey, ACCOUNT_KEYS_MAX, readKey, readNode, readNodeKey } from './registry.ts';

export const proposalKinds = [
  'addOrganisation',
  'suspendOrganisation',
  'resumeOrganisation',
  'addNode',
  'suspendNode',
  'resumeNode',
  'replaceValidatorKey',
  'setParameter',
] as const;
export type ProposalKind = (typeof proposalKinds)[number];

/** Proposals open at once; past it GOVERNANCE_PROPOSALS_FULL. */
export const PROPOSALS_OPEN_MAX = 64;
/** Organisations of one chain: each holds at most one vote per proposal, and a proposal is read whole. */
export const ORGANISATIONS_MAX = 256;
/** First administrators that a proposal may bring with a new organisation. */
const ADMINISTRATORS_MAX = 8;
/** Nodes that come with an organisation in one proposal. */
const NODES_MAX = 8;
const PROPOSAL_ID_DIGITS = 8;

export interface ProposalVote {
  readonly organisation: string;
  readonly account: string;
  readonly approve: boolean;
  readonly height: number;
}

export interface Proposal {
  /** Eight digits, counted from 1. */
  readonly id: string;
  readonly kind: ProposalKind;
  /** What it asks for: the arguments of `propose` without `kind`. */
  readonly body: { readonly [name: string]: Json };
  readonly proposer: string;
  readonly organisation: string;
  readonly proposedHeight: number;
  /** Last height at which a vote counts. */
  readonly expiryHeight: number;
  /** One per organisation, in the order they came. */
  readonly votes: readonly ProposalVote[];
  readonly state: 'open' | 'passed' | 'rejected' | 'expired';
  /** Height of the decision, or null. */
  readonly decidedHeight: number | null;
}

interface Counter {
  readonly last: number;
  readonly open: readonly string[];
}

/**
 * True when `count` of `total` organisations are a two-thirds majority: at least two thirds, so that of three organisations two decide and
 * no single one can hold the chain (contracts/decisions/0001-governance-majority.md).
 */
export function isMajority(count: number, total: number): boolean {
  return total > 0 && count * 3 >= total * 2;
}

export function createGovernanceContract(options: { readonly acceptKey: AcceptKey }): BuiltinContract {
  return {
    name: CONTRACT.governance,
    methods: {
      propose: (host, bytes) => propose(host, readArguments(bytes), options.acceptKey),
      vote: (host, bytes) => vote(host, readArguments(bytes)),
    },
    queries: readableWith('chain:read', { get: getQuery, open: openQuery, parameters: (host) => answer(parametersOf(readOf(host))) }),
  };
}

/** `{kind, ...}` -> the proposal. Refused at once when it could not be carried out today. */
function propose(host: Host, args: Arguments, acceptKey: AcceptKey): Uint8Array {
  const organisation = requireRight(host, 'governance:propose');
  const kind = args.oneOf('kind', proposalKinds);
  args.stopIfFaulty();
  const body = bodyReaders[kind](host, args, acceptKey);
  args.finish();
  planOf(host, kind, body);
  const counter = closeExpired(host);
  if (counter.open.length >= PROPOSALS_OPEN_MAX) throw new ContractFailure('GOVERNANCE_PROPOSALS_FULL', { openMax: PROPOSALS_OPEN_MAX });
  const number = counter.last + 1;
  const { height, parameters } = host.block;
  const proposal: Proposal = {
    id: String(number).padStart(PROPOSAL_ID_DIGITS, '0'),
    kind,
    body,
    proposer: host.caller,
    organisation,
    proposedHeight: height,
    expiryHeight: height + parameters.governanceVotingBlocks,
    votes: [],
    state: 'open',
    decidedHeight: null,
  };
  save(host, proposal);
  host.put(governanceKey.counter, answer({ last: number, open: [...counter.open, proposal.id] }));
  host.emit('proposed', answer({ id: proposal.id, kind, organisation, expiryHeight: proposal.expiryHeight }));
  return answer(proposal);
}

/** `{id, approve}` -> the proposal as it stands after the vote, decided and carried out when the vote decides it. */
function vote(host: Host, args: Arguments): Uint8Array {
  const organisation = requireRight(host, 'governance:vote');
  const id = proposalId(args);
  const approve = args.boolean('approve');
  args.finish();
  const proposal = load(host, id);
  const { height } = host.block;
  if (proposal.state !== 'open') throw new ContractFailure('GOVERNANCE_PROPOSAL_DECIDED', { id, state: proposal.state });
  if (height > proposal.expiryHeight)
    throw new ContractFailure('GOVERNANCE_PROPOSAL_EXPIRED', { id, expiryHeight: proposal.expiryHeight, height });
  if (proposal.votes.some((cast) => cast.organisation === organisation))
    throw new ContractFailure('GOVERNANCE_VOTE_REPEATED', { id, organisation });
  const votes = [...proposal.votes, { organisation, account: host.caller, approve, height }];
  host.emit('voted', answer({ id, organisation, approve }));
  const state = decide(host, votes);
  const next: Proposal = { ...proposal, votes, state, decidedHeight: state === 'open' ? null : height };
  save(host, next);
  if (state === 'open') return answer(next);
  close(host, [id]);
  host.emit('decided', answer({ id, kind: proposal.kind, state }));
  if (state === 'passed') carryOut(host, planOf(host, proposal.kind, proposal.body));
  return answer(next);
}

/** Counts the votes of organisations that are active now. Rejected as soon as the majority is out of reach. */
function decide(host: Host, votes: readonly ProposalVote[]): 'open' | 'passed' | 'rejected' {
  const active = activeOrganisations(host);
  const count = (approve: boolean) => votes.filter((cast) => cast.approve === approve && active.includes(cast.organisation)).length;
  if (isMajority(count(true), active.length)) return 'passed';
  return isMajority(active.length - count(false), active.length) ? 'open' : 'rejected';
}

// --- what each kind asks for ------------------------------------------------------------------------------------------------------

type BodyReader = (host: Host, args: Arguments, acceptKey: AcceptKey) => Proposal['body'];

const bodyReaders: Readonly<Record<ProposalKind, BodyReader>> = {
  /**
   * `{id, name, administrators: [{id, keys}], nodes?: [{id, transportKey, validatorKey, ...}]}`: without a first administrator nobody could
   * act for the organisation; where its nodes sign for that account they must come with the same proposal, since the custodial key is
   * theirs.
   */
  addOrganisation: (host, args, acceptKey) => {
    const id = args.text('id', nameProblem);
    const name = args.text('name', titleProblem);
    const nodes = (args.nullable('nodes', (list) => args.objects(list, 0, NODES_MAX)) ?? []).map((node) => ({
      id: node.text('id', nameProblem),
      ...readNode(host, node, acceptKey),
    }));
    if (new Set(nodes.map((node) => node.id)).size !== nodes.length) args.fault('nodes', 'hold one id twice');
    const custodialKeyOf = (node: string) => nodes.find((joining) => joining.id === node)?.custodialKey;
    const seen: string[] = [];
    const administrators = args.objects('administrators', 1, ADMINISTRATORS_MAX).map((administrator) => {
      const account = administrator.text('id', accountProblem);
      if (seen.includes(account)) administrator.fault('id', 'is repeated');
      seen.push(account);
      if (!account.endsWith(`@${id}`)) administrator.fault('id', `must end in @${id}`);
      const keys = administrator.objects('keys', 1, ACCOUNT_KEYS_MAX).map((key) => readKey(host, key, id, acceptKey, custodialKeyOf));
      if (new Set(keys.map((key) => key.keyId)).size !== keys.length) administrator.fault('keys', 'hold one keyId twice');
      return { id: account, keys } as unknown as Json;
    });
    return { id, name, administrators, nodes: nodes as unknown as Json };
  },
  suspendOrganisation: (_host, args) => ({ id: args.text('id') }),
  /** `{id, nodes: [id]}`: which of its suspended nodes come back with it; one suspended for its own sake may stay out. */
  resumeOrganisation: (_host, args) => ({ id: args.text('id'), nodes: args.texts('nodes', 0, VALIDATORS_MAX) }),
  /** `{id, organisation, node: {transportKey, validatorKey, tokenKey, custodialKey, addresses, role, weight}}` */
  addNode: (host, args, acceptKey) => ({
    id: args.text('id', nameProblem),
    organisation: args.text('organisation'),
    node: readNode(host, args.object('node'), acceptKey),
  }),
  suspendNode: (_host, args) => ({ id: args.text('id') }),
  resumeNode: (_host, args) => ({ id: args.text('id') }),
  /** `{id, validatorKey}`: the node keeps its name and place, and votes under the new key from the next height on. */
  replaceValidatorKey: (host, args, acceptKey) => {
    const id = args.text('id');
    const suite = entryOf(readOf(host), 'node', id)?.data.suite ?? SUITE.ed25519;
    return { id, validatorKey: readNodeKey(host, args, 'validatorKey', suite, acceptKey) };
  },
  setParameter: (_host, args) => {
    const name = args.text('name', (text) => (isParameterName(text) ? undefined : 'is not a chain parameter'));
    const row: ParameterRow = isParameterName(name) ? parameterTable[name] : { min: 0, max: 0, default: 0, unit: '', description: '' };
    const value = args.integer('value', isParameterName(name) ? row.min : 0, isParameterName(name) ? row.max : Number.MAX_SAFE_INTEGER);
    return { name, value };
  },
};

/** What a passed proposal changes: entries of the register, parameters, validators. */
interface Plan {
  readonly entries: readonly Omit<RegistryEntry, 'version'>[];
  readonly parameters?: Readonly<Record<string, number>>;
  readonly validators?: readonly ValidatorRow[];
}

/** Judged when proposed and again when decided, because the state moves in between. @throws ContractFailure GOVERNANCE_IMPOSSIBLE */
function planOf(host: Host, kind: ProposalKind, body: Proposal['body']): Plan {
  const read = readOf(host);
  const impossible = (reason: string): ContractFailure => new ContractFailure('GOVERNANCE_IMPOSSIBLE', { kind, reason });
  const newEntry = <K extends RegistryKind>(entryKind: K, id: string, owner: string, data: RegistryEntry<K>['data']) => {
    if (entryOf(read, entryKind, id)) throw impossible(`${entryKind} ${id} is registered already`);
    return { kind: entryKind, id, owner, state: 'active', validFrom: null, validTo: null, documentDigest: null, data } as const;
  };
  const standing = <K extends RegistryKind>(entryKind: K, id: string, state: RegistryEntry['state']): RegistryEntry<K> => {
    const entry = entryOf(read, entryKind, id);
    if (entry?.state !== state) throw impossible(`there is no ${state} ${entryKind} ${id}`);
    return entry;
  };
  const active = <K extends RegistryKind>(entryKind: K, id: string): RegistryEntry<K> => standing(entryKind, id, 'active');
  const withValidators = (entries: Plan['entries'], rows: readonly ValidatorRow[]): Plan => {
    const validators = sortValidators(rows);
    const fault =
      validators.length > VALIDATORS_MAX ? `more than ${VALIDATORS_MAX} validators` : validatorsFault(engineOf(read).engine, validators);
    if (fault) throw impossible(fault);
    return { entries, validators };
  };
  /** The entries, and the validators with those among `nodes` that are to decide. */
  const withNodes = (entries: Plan['entries'], nodes: readonly Pick<RegistryEntry<'node'>, 'id' | 'data'>[]): Plan => {
    const rows = [...validatorRowsOf(read)];
    for (const node of nodes) {
      if (rows.some((held) => held.publicKey === node.data.validatorKey)) throw impossible(`another validator has the key of ${node.id}`);
      const row = validatorRow(node);
      if (row) rows.push(row);
    }
    return nodes.some(validatorRow) ? withValidators(entries, rows) : { entries };
  };

  switch (kind) {
    case 'addOrganisation': {
      if (organisationList(host).length >= ORGANISATIONS_MAX) throw impossible(`more than ${ORGANISATIONS_MAX} organisations`);
      const administrators = body.administrators as unknown as readonly { id: string; keys: AccountData['keys'] }[];
      const id = body.id as string;
      const nodes = (body.nodes as unknown as readonly ({ readonly id: string } & NodeData)[]).map(({ id: node, ...data }) =>
        newEntry('node', node, id, data),
      );
      const accounts = administrators.map((administrator) =>
        newEntry('account', administrator.id, id, { type: 'person', roles: ['admin'], keys: administrator.keys, sessionEpoch: 1 }),
      );
      return withNodes([newEntry('organisation', id, id, { name: body.name as string }), ...nodes, ...accounts], nodes);
    }
    case 'suspendOrganisation': {
      const organisation = active('organisation', body.id as string);
      const rows = validatorRowsOf(read);
      const own = rows.map((row) => active('node', row.node)).filter((node) => node.owner === organisation.id);
      const suspended = [organisation, ...own].map((entry) => ({ ...entry, state: 'suspended' as const }));
      return own.length === 0
        ? { entries: suspended }
        : withValidators(
            suspended,
            rows.filter((row) => !own.some((node) => node.id === row.node)),
          );
    }
    case 'resumeOrganisation': {
      const organisation = standing('organisation', body.id as string, 'suspended');
      const nodes = (body.nodes as readonly string[]).map((id) => standing('node', id, 'suspended'));
      const foreign = nodes.find((node) => node.owner !== organisation.id);
      if (foreign) throw impossible(`node ${foreign.id} belongs to ${foreign.owner}`);
      return withNodes(
        [organisation, ...nodes].map((entry) => ({ ...entry, state: 'active' as const })),
        nodes,
      );
    }
    case 'addNode': {
      const organisation = active('organisation', body.organisation as string);
      const node = newEntry('node', body.id as string, organisation.id, body.node as NodeData);
      return withNodes([node], [node]);
    }
    case 'resumeNode': {
      const node = standing('node', body.id as string, 'suspended');
      active('organisation', node.owner);
      return withNodes([{ ...node, state: 'active' }], [node]);
    }
    case 'replaceValidatorKey': {
      const node = entryOf(read, 'node', body.id as string);
      if (node?.state !== 'active' && node?.state !== 'suspended') throw impossible(`there is no node ${body.id as string}`);
      const publicKey = body.validatorKey as string;
      const { transportKey, validatorKey, tokenKey, custodialKey } = node.data;
      if ([transportKey, validatorKey, tokenKey, custodialKey].includes(publicKey)) throw impossible(`${node.id} has this key already`);
      const rows = validatorRowsOf(read);
      if (rows.some((row) => row.publicKey === publicKey)) throw impossible(`another validator has the key of ${node.id}`);
      const entries = [{ ...node, data: { ...node.data, validatorKey: publicKey } }];
      return rows.some((row) => row.node === node.id)
        ? withValidators(
            entries,
            rows.map((row) => (row.node === node.id ? { ...row, publicKey } : row)),
          )
        : { entries };
    }
    case 'suspendNode': {
      const node = active('node', body.id as string);
      const entries = [{ ...node, state: 'suspended' as const }];
      const rows = validatorRowsOf(read);
      return rows.some((row) => row.node === node.id)
        ? withValidators(
            entries,
            rows.filter((row) => row.node !== node.id),
          )
        : { entries };
    }
    case 'setParameter': {
      const name = body.name as string;
      const value = body.value as number;
      if (!isParameterName(name) || !isParameterValue(name, value)) throw impossible(`${name} cannot be ${value}`);
      const parameters = { ...parametersOf(read), [name]: value };
      const fault = parametersFault(parameters);
      if (fault) throw impossible(fault);
      return { entries: [], parameters };
    }
  }
}

function carryOut(host: Host, plan: Plan): void {
  if (plan.entries.length > 0) host.call(CONTRACT.registry, 'put', answer({ entries: plan.entries }));
  const added = plan.entries.filter((entry) => entry.kind === 'organisation').map((entry) => entry.id);
  if (added.length > 0) host.put(governanceKey.organisations, answer([...new Set([...organisationList(host), ...added])].sort()));
  if (plan.parameters) host.put(governanceKey.parameters, answer(plan.parameters));
  if (plan.validators) host.put(governanceKey.validators, answer(plan.validators));
  if (plan.parameters || plan.validators) host.emit('configurationChanged', answer({ height: host.block.height + 1 }));
}

// --- state ------------------------------------------------------------------------------------------------------------------------

function organisationList(host: Host): readonly string[] {
  return decodeJson(readThrough(host, host.self, governanceKey.organisations)!) as readonly string[];
}

function activeOrganisations(host: Host): readonly string[] {
  return organisationList(host).filter((id) => entryOf(readOf(host), 'organisation', id)?.state === 'active');
}

/** With or without leading zeros. */
function proposalId(args: Arguments): string {
  const text = args.text('id', (given) => (/^[0-9]{1,8}$/.test(given) ? undefined : 'must be the number of a proposal'));
  return text.padStart(PROPOSAL_ID_DIGITS, '0');
}

function load(host: Host, id: string): Proposal {
  const bytes = readThrough(host, host.self, governanceKey.proposal(id));
  if (!bytes) throw new ContractFailure('GOVERNANCE_PROPOSAL_UNKNOWN', { id });
  return decodeJson(bytes) as unknown as Proposal;
}

function save(host: Host, proposal: Proposal): void {
  host.put(governanceKey.proposal(proposal.id), answer(proposal));
}

function counterOf(host: Host): Counter {
  const bytes = readThrough(host, host.self, governanceKey.counter);
  return bytes ? (decodeJson(bytes) as unknown as Counter) : { last: 0, open: [] };
}

function close(host: Host, ids: readonly string[]): Counter {
  const counter = counterOf(host);
  const next = { ...counter, open: counter.open.filter((id) => !ids.includes(id)) };
  host.put(governanceKey.counter, answer(next));
  return next;
}

/** Marks what ran out of time. Done when a new proposal comes, since nothing changes state without a transaction. */
function closeExpired(host: Host): Counter {
  const counter = counterOf(host);
  const expired = counter.open.map((id) => load(host, id)).filter((proposal) => host.block.height > proposal.expiryHeight);
  if (expired.length === 0) return counter;
  for (const proposal of expired) save(host, { ...proposal, state: 'expired', decidedHeight: proposal.expiryHeight });
  return close(
    host,
    expired.map((proposal) => proposal.id),
  );
}

function readOf(host: Host): Read {
  return (contract, key) => readThrough(host, contract, key);
}

/** `{id}` -> the proposal; one past its time shows as expired though no transaction has marked it yet. */
function getQuery(host: Host, bytes: Uint8Array): Uint8Array {
  const args = readArguments(bytes);
  const id = proposalId(args);
  args.finish();
  return answer(shown(host, load(host, id)));
}

function openQuery(host: Host): Uint8Array {
  const proposals = counterOf(host).open.map((id) => shown(host, load(host, id)));
  return answer(proposals.filter((proposal) => proposal.state === 'open'));
}

function shown(host: Host, proposal: Proposal): Proposal {
  const late = proposal.state === 'open' && host.block.height > proposal.expiryHeight;
  return late ? { ...proposal, state: 'expired', decidedHeight: proposal.expiryHeight } : proposal;
}
