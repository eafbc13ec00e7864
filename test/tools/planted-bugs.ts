/**
 * Bugs of the safety code, each as one replacement in the shipped source, with the test that must fail while it stands. A rule of consensus or
 * ledger that is rewritten keeps its row: `npm run plant` shows whether the test still guards it. See plant.ts.
 */
import { plantedAnswers } from './planted-answers.ts';
import { plantedDoors } from './planted-doors.ts';
import { readText } from './source.ts';

export interface PlantedBug {
  /** What the code does wrong while the bug stands. */
  readonly name: string;
  /** Source file, from the root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** Test file that must fail, from the root. */
  readonly test: string;
  /** Regular expression over the names of its tests; all when absent. */
  readonly only?: string;
}

const CHAIN = 'node/chain.ts';
const EXECUTOR = 'node/ledger/executor.ts';
const CHECKS = 'node/ledger/checks.ts';
const CHAIN_TEST = 'test/unit/node/chain.test.ts';
const JUDGED_TEST = 'test/unit/node/ledger/executor-judged.test.ts';
const REPLAY = 'consensus/pbft/replay.ts';
const MEMORY_TEST = 'test/simulation/memory.test.ts';
const SIMULATION_TEST = 'test/simulation/simulation.test.ts';
const VOTE_LOG = 'node/storage/vote-log.ts';
const FRAME_INBOX = 'node/frame-inbox.ts';
const FRAME_INBOX_TEST = 'test/unit/node/frame-inbox.test.ts';
const OWN_READING_TEST = 'test/unit/api/rest/own-reading.test.ts';
const VOTE_LOG_TEST = 'test/unit/node/storage/vote-log.test.ts';
const RIGHTS_TEST = 'test/unit/contracts/builtin/rights.test.ts';

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a deployed contract is called by who may not',
    file: 'contracts/execute.ts',
    from: '      if (ADDRESS.test(call.contract)) run.requireRightToCall(tx.sender);\n',
    to: '',
    test: RIGHTS_TEST,
  },
  {
    name: 'guesses at what an account may not read are free',
    file: 'api/records/check-rows.ts',
    from: '      if (!visible) deps.guesses.charge(account);\n',
    to: '',
    test: OWN_READING_TEST,
    only: 'guesses',
  },
  {
    name: 'who may not read a repeated record hears its transaction',
    file: 'api/records/submit.ts',
    from: "status === 'repeated' && first && seesRecord(readingOf(node).read, account, first) ? first",
    to: "status === 'repeated' && first && readingOf(node) && account ? first",
    test: OWN_READING_TEST,
    only: 'a submission tells',
  },
  {
    name: 'the right to manage a contract is asked for on nothing',
    file: 'contracts/builtin/deployed.ts',
    from: "'contract:manage', `contract",
    to: "'contract:manage', `",
    test: RIGHTS_TEST,
  },
  {
    name: "a synced block's certificate is not checked",
    file: CHAIN,
    from: '          ...checkCertificate(crypto, header.chainId, hash, header, certificate, tip.configuration),\n',
    to: '',
    test: CHAIN_TEST,
    only: 'certificate',
  },
  {
    name: 'the certificate of another height counts',
    file: CHECKS,
    from: 'fault === undefined && certificate.height === header.height',
    to: 'fault === undefined',
    test: CHAIN_TEST,
    only: 'certificate',
  },
  {
    name: 'the certificate of another block counts',
    file: CHECKS,
    from: "    check('headerHash', toHex(hash), toHex(certificate.digest)),\n",
    to: '',
    test: CHAIN_TEST,
    only: 'certificate',
  },
  {
    name: "a synced block's producer seal is not checked",
    file: CHECKS,
    from: '  if (seal) checks.push(checkSeal(crypto, hash, seal, header.proposer, producer));\n',
    to: '',
    test: CHAIN_TEST,
    only: 'seal',
  },
  {
    name: "a proposal's producer seal is not checked",
    file: CHAIN,
    from: '    if (!seal.passed) return refuse([seal]);\n',
    to: '',
    test: CHAIN_TEST,
    only: 'seal',
  },
  {
    name: 'a transaction of an earlier block may stand again',
    file: EXECUTOR,
    from: 'store.get(ledgerKey.position(id)) !== undefined',
    to: 'id.length === 0',
    test: JUDGED_TEST,
    only: 'earlier block',
  },
  {
    name: 'the receipts root is not compared',
    file: EXECUTOR,
    from: "      check('receiptsRoot', toHex(merkleRoot(crypto.hash, outcome.receipts)), toHex(header.receiptsRoot)),\n",
    to: '',
    test: JUDGED_TEST,
    only: 'stated results',
  },
  {
    name: 'the state root is not compared',
    file: EXECUTOR,
    from: "      check('stateRoot', toHex(outcome.staged.root), toHex(header.stateRoot)),\n",
    to: '',
    test: JUDGED_TEST,
    only: 'stated results',
  },
  {
    name: 'the next configuration is not compared',
    file: EXECUTOR,
    from: "      check('consensusHash', toHex(consensusHashOf(crypto, outcome.configuration)), toHex(header.nextConsensusHash)),\n",
    to: '',
    test: JUDGED_TEST,
    only: 'stated results',
  },
  {
    name: 'the time of a block may step back',
    file: CHECKS,
    from: 'header.timestampMs >= parent.timestampMs',
    to: 'header.timestampMs >= 0',
    test: JUDGED_TEST,
    only: 'older than the one below',
  },
  {
    name: 'a proposer whose clock stepped back proposes that time',
    file: EXECUTOR,
    from: 'Math.max(request.timestampMs, tip.header.timestampMs)',
    to: 'request.timestampMs',
    test: JUDGED_TEST,
    only: 'older than the one below',
  },
  {
    name: 'a backup votes before the bodies of the proposal are on disk',
    file: CHAIN,
    from: '    const [executed] = await Promise.all([\n      executor.execute({ headerBytes: proposal.header, transactions }),\n      deps.pending.save(',
    to: '    const [executed] = await Promise.all([\n      executor.execute({ headerBytes: proposal.header, transactions }),\n      void deps.pending.save(',
    test: CHAIN_TEST,
    only: 'on disk before',
  },
  {
    name: 'a proposer proposes before the bodies are on disk',
    file: CHAIN,
    from: '    await deps.pending.save(\n',
    to: '    void deps.pending.save(\n',
    test: CHAIN_TEST,
    only: 'on disk before',
  },
  {
    name: 'bodies of a proposal are written without being synced',
    file: 'node/pending-bodies.ts',
    from: 'await store.batch([{ key, value }], { sync: true });',
    to: 'await store.batch([{ key, value }], { sync: false });',
    test: 'test/unit/node/pending-bodies.test.ts',
  },
  {
    name: 'a final block is committed without being synced',
    file: EXECUTOR,
    from: '    await store.batch(operations, { sync: true });\n\n    map.commit(outcome.staged);',
    to: '    await store.batch(operations, { sync: false });\n\n    map.commit(outcome.staged);',
    test: JUDGED_TEST,
    only: 'power',
  },
  {
    name: 'the vote log is appended to without datasync',
    file: VOTE_LOG,
    from: '        await this.#file.datasync();\n',
    to: '',
    test: VOTE_LOG_TEST,
    only: 'synced',
  },
  {
    name: 'the vote log answers before its datasync has',
    file: VOTE_LOG,
    from: 'await this.#file.datasync();',
    to: 'void this.#file.datasync();',
    test: VOTE_LOG_TEST,
    only: 'synced',
  },
  {
    name: 'a rewritten vote log takes the place of the old one before it is synced',
    file: VOTE_LOG,
    from: '      await file.sync();\n      await rename(temporary, path);',
    to: '      await rename(temporary, path);',
    test: VOTE_LOG_TEST,
    only: 'synced',
  },
  {
    name: 'the new name of a rewritten vote log is not synced',
    file: VOTE_LOG,
    from: '      await syncDirectory(dirname(path));\n',
    to: '',
    test: VOTE_LOG_TEST,
    only: 'synced',
  },
  {
    name: 'a block is stored again when sync was faster than consensus',
    file: CHAIN,
    from: '        if (height <= tip.height) return deliveredOf(certificate); // sync was faster\n',
    to: '',
    test: CHAIN_TEST,
    only: 'stored and told once',
  },
  {
    name: 'a block is stored again when consensus was faster than sync',
    file: CHAIN,
    from: '        if (header.height <= tip.height) return deliveredOf(certificate);\n',
    to: '',
    test: CHAIN_TEST,
    only: 'stored and told once',
  },
  {
    name: 'sync and consensus store side by side',
    file: CHAIN,
    from: 'const next = joining.then(work);',
    to: 'const next = work();',
    test: CHAIN_TEST,
    only: 'stored and told once',
  },
  {
    name: 'votes are forgotten at a restart',
    file: REPLAY,
    from: 'if (vote.height > replica.height) {',
    to: 'if (vote.height < 0) {',
    test: MEMORY_TEST,
    only: 'again and again',
  },
  {
    name: 'the prepared certificate is forgotten at a restart',
    file: REPLAY,
    from: 'replica.prepared = record.certificate;',
    to: 'void record.certificate;',
    test: MEMORY_TEST,
    only: 'again and again',
  },
  {
    name: 'a view change is forgotten at a restart',
    file: REPLAY,
    from: 'if (record.message.view >= replica.view) {',
    to: 'if (record.message.view < 0) {',
    test: MEMORY_TEST,
    only: 'again and again',
  },
  {
    name: 'what a new view binds to is read at no restart, which leaves its view closed',
    file: REPLAY,
    from: 'record.height === nextHeight(replica) ? { height: record.height, digest: record.digest } : undefined;',
    to: 'undefined;',
    test: 'test/unit/consensus/pbft/recovery.test.ts',
    only: 'bound still',
  },
  {
    name: 'what a new view binds to is forgotten at a restart',
    file: REPLAY,
    from: '{ height: record.height, digest: record.digest }',
    to: '{ height: record.height, digest: undefined }',
    test: MEMORY_TEST,
    only: 'bound by it',
  },
  {
    name: 'the one proposal of a primary is forgotten at a restart',
    file: REPLAY,
    from: 'if (record.height > replica.height) replica.proposed.set(',
    to: 'if (record.height < 0) replica.proposed.set(',
    test: MEMORY_TEST,
    only: 'again and again',
  },
  {
    name: 'a lost vote log does not mute',
    file: REPLAY,
    from: '(!marked && replica.height > 0)',
    to: '(!marked && replica.height < 0)',
    test: SIMULATION_TEST,
    only: 'lost its vote log',
  },
  {
    name: 'the cut of the log at a checkpoint loses live votes',
    file: REPLAY,
    from: 'if (vote.height >= height) records.push(',
    to: 'if (vote.height < 0) records.push(',
    test: MEMORY_TEST,
    only: 'takes no twin',
  },
  {
    name: 'the cut of the log at a checkpoint loses what a new view binds to',
    file: REPLAY,
    from: 'height, digest: replica.binding?.digest });',
    to: 'height, digest: undefined });',
    test: 'test/unit/consensus/pbft/checkpoint.test.ts',
    only: 'binds its height to',
  },
  {
    name: 'the cut of the log at a checkpoint loses the prepared certificate',
    file: REPLAY,
    from: '  if (replica.prepared) records.push(',
    to: '  if (replica.height < 0 && replica.prepared) records.push(',
    test: MEMORY_TEST,
    only: 'was cut',
  },
  {
    name: 'the lowest view wins in a new view',
    file: 'consensus/pbft/view-change.ts',
    from: 'certificate.view > chosen.view',
    to: 'certificate.view < chosen.view',
    test: MEMORY_TEST,
    only: 'highest view',
  },
  {
    name: 'the body of a proposal is not in the log before the vote for it',
    file: 'consensus/pbft/replica.ts',
    from: "  persist(replica, { kind: 'body', height, digest, proposal });\n",
    to: '',
    test: 'test/unit/consensus/pbft/normal-case.test.ts',
  },
  {
    name: 'whoever has not seen the block that replaces its key is blamed for its old key',
    file: 'consensus/pbft/index.ts',
    from: "speaksFromLevel(replica, message) ? 'reject' : 'ignore'",
    to: "speaksFromAhead(replica, message) ? 'ignore' : 'reject'",
    test: 'test/unit/consensus/pbft/keys.test.ts',
    only: 'blames nobody',
  },
  {
    name: 'any block without an overdue transaction accuses its proposer',
    file: 'node/left-out.ts',
    from: 'if (!loaded && youngestMs - item.entry.addedMs >= OVERDUE_AGE_MS)',
    to: 'if (youngestMs !== 0)',
    test: 'test/unit/node/left-out.test.ts',
    only: 'load names nobody',
  },
  {
    name: 'what a peer gave is never spread again',
    file: 'node/mempool/mempool.ts',
    from: 'PEERS_REPEAT_LATER = 4;',
    to: 'PEERS_REPEAT_LATER = Number.POSITIVE_INFINITY;',
    test: 'test/simulation/full-node.test.ts',
    only: 'handed on in the end',
  },
  {
    name: 'votes leave before they are on disk',
    file: 'node/consensus-driver.ts',
    from: '    await this.#save(effects);\n',
    to: '    void this.#save(effects);\n',
    test: 'test/unit/node/consensus-driver.test.ts',
  },
  {
    name: 'a fault inside a nested call becomes a verdict when no gas is left',
    file: 'contracts/execute.ts',
    from: 'if (error instanceof ContractFailure) this.tank.use(GAS.failure);',
    to: 'this.tank.use(GAS.failure);',
    test: 'test/unit/contracts/execute.test.ts',
    only: 'fault',
  },
  {
    name: 'an account with a right to its own records reads those of others',
    file: 'api/records/service.ts',
    from: 'first && seesRecord(read, caller.account, first)',
    to: 'first',
    test: OWN_READING_TEST,
    only: 'as unknown as one',
  },
  {
    name: 'an account with a right to its own records finds those of others',
    file: 'api/records/service.ts',
    from: '...(readsAll(caller) ? {} : { author: caller.account }),',
    to: '',
    test: OWN_READING_TEST,
    only: 'finds its own',
  },
  {
    name: 'a query of a built-in contract asks for no right',
    file: 'contracts/builtin/access.ts',
    from: 'if (!judge(',
    to: 'if (sender === right && !judge(',
    test: 'test/unit/contracts/builtin/access.test.ts',
    only: 'query of a built-in contract is refused',
  },
  {
    name: 'a submission that equals one under way is sent once more',
    file: 'api/records/under-way.ts',
    from: 'let other = sends.get(key); other;',
    to: 'let other: Promise<Sent> | undefined; other;',
    test: 'test/unit/api/records/under-way.test.ts',
    only: 'eight sends',
  },
  {
    name: 'a record that another transaction stored is answered with a receipt that stored nothing',
    file: 'api/records/submit.ts',
    from: "results.every(({ status }) => status === 'repeated')",
    to: 'results.length < 0',
    test: 'test/unit/api/records/under-way.test.ts',
    only: 'overlaps',
  },
  {
    name: 'requests at once under one Idempotency-Key run each',
    file: 'api/rest/idempotency.ts',
    from: 'const current = running.get(rowKey);',
    to: "const current = running.get('');",
    test: 'test/unit/api/rest/examples.test.ts',
    only: 'eight requests',
  },
  {
    name: 'a percent-encoding that is not UTF-8 stands for itself',
    file: 'api/rest/percent.ts',
    from: 'return undefined;\n  }\n}',
    to: 'return text;\n  }\n}',
    test: 'test/unit/api/rest/server.test.ts',
    only: 'percent-encoding',
  },
  {
    name: 'frames of nodes that are no validators take the places of the validators',
    file: FRAME_INBOX,
    from: '(this.#names.has(frame.from) ? this.#validators : this.#others).push(frame)',
    to: 'this.#validators.push(frame)',
    test: FRAME_INBOX_TEST,
  },
  {
    name: 'a body that nobody asked for costs nothing',
    file: 'consensus/pbft/answers.ts',
    from: 'if (due === 0) {',
    to: 'if (due < 0) {',
    test: 'test/unit/consensus/pbft/recovery.test.ts',
    only: 'nobody asked for',
  },
  {
    name: "a late answer is taken from whoever names its question's number",
    file: 'node/sync/requests.ts',
    from: 'this.#late.get(from)?.delete(answer.id)',
    to: '[...this.#late.values()].some((ids) => ids.delete(answer.id))',
    test: 'test/unit/node/sync/requests.test.ts',
    only: 'late',
  },
  {
    name: 'a full inbox drops the frame that comes, whoever fills it',
    file: FRAME_INBOX,
    from: '(...this.#largest((each) => each.frames.length))',
    to: '(frame.from, sender)',
    test: FRAME_INBOX_TEST,
  },
  {
    name: 'dear calls are held back by nothing',
    file: 'node/mempool/gas-shares.ts',
    from: '    if (!isModestAbout()) {\n      yield* beyond;',
    to: '    if (senders.length > 0) {\n      yield* beyond;',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
  },
  {
    name: 'who loads records in bulk is held back like a flood of dear calls',
    file: 'node/mempool/gas-shares.ts',
    from: 'BULK_GAS_MAX = 7_000_000_000',
    to: 'BULK_GAS_MAX = 1_000_000_000',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
    only: 'bulk loader',
  },
  {
    name: 'calls as large as bulk are held back by nothing',
    file: 'node/mempool/gas-shares.ts',
    from: 'bulk.charge(gasUsed, nowMs);',
    to: '{}',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
    only: 'as large as bulk',
  },
  {
    name: 'no block is owed for what was held back until something else happens',
    file: 'node/work-notice.ts',
    from: '      next = undefined;\n      tell();\n',
    to: '      next = undefined;\n',
    test: 'test/unit/node/work-notice.test.ts',
    only: 'when its time has come',
  },
  {
    name: 'a dear call puts off the block that is owed for a cheaper one',
    file: 'node/work-notice.ts',
    from: '    if (added && next && next.atMs <= atMs) return; // another one is due before it\n',
    to: '',
    test: 'test/unit/node/work-notice.test.ts',
    only: 'puts off nothing',
  },
  {
    name: 'senders keep their places from block to block',
    file: 'node/mempool/gas-shares.ts',
    from: '    senders.sort((a, b) => b.left - a.left); // who used least goes first\n',
    to: '',
    test: 'test/unit/node/mempool/gas-shares.test.ts',
  },
  ...plantedDoors,
  ...plantedAnswers,
];

/** The source of the bug's file with the bug in it. @throws Error when the text to replace does not occur exactly once. */
export function planted({ name, file, from, to }: PlantedBug): string {
  const parts = readText(file).split(from);
  if (parts.length !== 2) throw new Error(`Cannot plant "${name}": its text occurs ${parts.length - 1} times in ${file}`);
  return parts.join(to);
}
