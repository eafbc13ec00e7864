/** Planted bugs of view changes, of what a lost vote log asks for, of floods between validators, and of what the node says of itself. See planted-bugs.ts. */
import type { PlantedBug } from './planted-bugs.ts';

const VIEW_CHANGE = 'consensus/pbft/view-change.ts';
const VIEW_CHANGE_TEST = 'test/unit/consensus/pbft/view-change.test.ts';
const REPLICA = 'consensus/pbft/replica.ts';
const SLOT = 'consensus/pbft/slot.ts';
const REPLAY = 'consensus/pbft/replay.ts';
const BOOK = 'consensus/pbft/book.ts';
const RECOVERY = 'consensus/pbft/recovery.ts';
const RECOVERY_TEST = 'test/unit/consensus/pbft/recovery.test.ts';
const VERDICTS = 'consensus/pbft/verdicts.ts';
const VERDICTS_TEST = 'test/unit/consensus/pbft/verdicts.test.ts';
const KEYS_TEST = 'test/unit/consensus/pbft/keys.test.ts';
const DRIVER = 'node/chain/driver.ts';
const DRIVER_TEST = 'test/unit/node/chain/driver.test.ts';
const HEALTH = 'node/feeds/health.ts';
const HEALTH_TEST = 'test/unit/node/feeds/health.test.ts';
const CHAIN_ALARMS = 'node/chain-alarms.ts';
const NODE_ALARMS_TEST = 'test/unit/node/node-alarms.test.ts';

export const plantedRecovery: readonly PlantedBug[] = [
  {
    name: 'a new view counts view changes below its base, so that a word from before a lost vote log frees it',
    file: VIEW_CHANGE,
    from: '    if (opened[0] && opened[0].height !== inner.height) return undefined;\n',
    to: '',
    also: [
      {
        from: "if (message.height !== replica.height) return 'its height is not the base';",
        to: 'if (message.height < replica.height) return;',
      },
    ],
    test: 'test/unit/consensus/pbft/fork.test.ts',
    only: 'not two',
  },
  {
    name: 'a new primary counts view changes below its base',
    file: VIEW_CHANGE,
    from: "  if (message.height !== replica.height) return 'its height is not the base';\n",
    to: '',
    test: VIEW_CHANGE_TEST,
    only: 'decides nothing',
  },
  {
    name: 'a new view of a base that was passed opens its view',
    file: VIEW_CHANGE,
    from: '  if (base < replica.height) return; //',
    to: '  //',
    test: VIEW_CHANGE_TEST,
    only: 'have passed',
  },
  {
    name: 'a view stays open above a block that was certified below it',
    file: VIEW_CHANGE,
    from: '  replica.changing = true;\n  replica.slot.binding = undefined;\n  replica.viewChange = undefined;\n',
    to: '',
    test: VIEW_CHANGE_TEST,
    only: 'becomes final below it',
  },
  {
    name: 'what a view change says is prepared is not checked',
    file: VIEW_CHANGE,
    from: '    if (fault) return fault;\n',
    to: '',
    test: VIEW_CHANGE_TEST,
    only: 'does not prove itself',
  },
  {
    name: 'the time-out of a view has no cap',
    file: VIEW_CHANGE,
    from: 'Math.min(cap, base * 2 ** Math.min(replica.slot.failures, 30))',
    to: 'base * 2 ** Math.min(replica.slot.failures, 30)',
    test: VIEW_CHANGE_TEST,
    only: 'longer than the cap',
  },
  {
    name: 'the book holds eight proposals and not the newest',
    file: BOOK,
    from: '    this.#proposals.set(key, proposal);\n',
    to: '    if (this.#proposals.size < 8 && !held) this.#proposals.set(key, proposal);\n',
    test: 'test/unit/consensus/pbft/book.test.ts',
    only: 'the newest is held',
  },
  {
    name: 'so many votes of a validator hold out its newest',
    file: BOOK,
    from: 'held.length > this.#votesPerSignerMax) held.shift();',
    to: 'held.length > this.#votesPerSignerMax) held.splice(held.indexOf(vote), 1);',
    test: VIEW_CHANGE_TEST,
    only: 'hold nothing out',
  },
  {
    name: 'proposals and view changes of views that are over stay',
    file: BOOK,
    from: '  leaveViewsBelow(view: number): void {\n',
    to: '  leaveViewsBelow(view: number): void {\n    if (view >= 0) return;\n',
    test: VIEW_CHANGE_TEST,
    only: 'a view that is over',
  },
  {
    name: 'so many executions at a height hold out the newest',
    file: SLOT,
    from: '  slot.executions.set(toHex(execution.digest), execution);\n',
    to: '  if (slot.executions.size < executionsMax) slot.executions.set(toHex(execution.digest), execution);\n',
    test: VIEW_CHANGE_TEST,
    only: 'hold nothing out',
  },
  {
    name: 'a body refused in one view is refused in all that follow',
    file: SLOT,
    from: "if (execution.state === 'refused') slot.executions.delete(name);",
    to: "if (execution.state === 'refused' && name === '') slot.executions.delete(name);",
    test: VIEW_CHANGE_TEST,
    only: 'refused in one view',
  },
  {
    name: 'a block whose execution was let go is waited for, though its body is kept',
    file: 'consensus/pbft/normal-case.ts',
    from: '  if (kept) {\n',
    to: '  if (kept && kept.digest.length === 0) {\n',
    test: VIEW_CHANGE_TEST,
    only: 'executed again from the body kept',
  },
  {
    name: 'a validator alone in a higher view is joined by nobody',
    file: RECOVERY,
    from: "  note(replica, 'joins a validator alone in a higher view', { node, view });\n  startViewChange(replica, view);\n",
    to: '',
    test: 'test/unit/consensus/pbft/alone.test.ts',
    only: 'is joined there',
  },
  {
    name: 'messages in a recovery reply are believed unsigned',
    file: RECOVERY,
    from: '    if (!replica.crypto.verify(self.suite, self.publicKey, signingBytes(replica.chainId, own), own.signature)) return undefined;\n',
    to: '',
    test: RECOVERY_TEST,
    only: 'signed words do not prove it',
  },
  {
    name: 'the certificate in a recovery reply is believed',
    file: RECOVERY,
    from: "  if (certificate && certificate.height > replica.height && judgedFault(replica, 'commit', certificate)) return undefined;\n",
    to: '',
    test: RECOVERY_TEST,
    only: 'signed words do not prove it',
  },
  {
    name: 'who asks about its lost vote log is answered as often as it asks',
    file: RECOVERY,
    from: "  if (!mayAnswer(replica, 'recoveryQuery', message.node, answerIntervalMs(replica))) return;\n",
    to: '',
    test: RECOVERY_TEST,
    only: 'lost its vote log is answered',
  },
  {
    name: 'who asks for a body is answered as often as it asks',
    file: RECOVERY,
    from: "  if (!mayAnswer(replica, 'fetch', node, answerIntervalMs(replica))) return;\n",
    to: '',
    test: RECOVERY_TEST,
    only: 'one asker gets a body',
  },
  {
    name: 'an emptied validator votes on though a certificate holds a vote it does not know',
    file: RECOVERY,
    from: '  replica.muted = { round: height, answers: new Map() };\n',
    to: '',
    test: RECOVERY_TEST,
    only: 'has signed before',
  },
  {
    name: 'a vote log older than the chain does not mute',
    file: REPLAY,
    from: ' || through < signedHeight',
    to: '',
    test: RECOVERY_TEST,
    only: 'is too old',
  },
  {
    name: 'a vote log that does not decode does not mute',
    file: REPLAY,
    from: '      whole = false;\n',
    to: '',
    test: RECOVERY_TEST,
    only: 'does not decode',
  },
  {
    name: 'votes under a key that was replaced count',
    file: REPLICA,
    from: '    replica.book.forget(node);\n',
    to: '',
    test: KEYS_TEST,
    only: 'replaces is not counted',
  },
  {
    name: 'a validator votes with a key that the set names no longer',
    file: REPLICA,
    from: '    replica.holdsKey &&\n    !replica',
    to: '    !replica',
    test: KEYS_TEST,
    only: 'says nothing',
  },
  {
    name: 'verdicts on certificates are forgotten at once',
    file: VERDICTS,
    from: '  verdicts.set(name, fault);\n',
    to: '',
    test: VERDICTS_TEST,
  },
  {
    name: 'each certificate of a block has the same votes checked anew',
    file: VERDICTS,
    from: 'if (known && equalBytes(known, signature)) return true;',
    to: '',
    also: [{ from: '      if (!verdicts.has(name)) {\n        const valid', to: '      {\n        const valid' }],
    test: VERDICTS_TEST,
    only: 'each vote once',
  },
  {
    name: 'verdicts outlive the validators they were made under',
    file: REPLICA,
    from: '  replica.verdicts.clear();\n',
    to: '',
    test: VERDICTS_TEST,
    only: 'under other validators',
  },
  {
    name: 'one validator may fill the inbox of all',
    file: 'node/chain/frame-inbox.ts',
    from: '    while (sender.frames.length > framesPerPeerMax || sender.bytes > bytesPerPeerMax) this.#dropOldest(frame.from, sender);\n',
    to: '',
    test: 'test/unit/node/chain/frame-inbox.test.ts',
    only: 'says too much',
  },
  {
    name: 'a flood of a node that is no validator costs it nothing',
    file: DRIVER,
    from: "    if (this.#strangerReports.of(from, STRANGER_REPORTS).take(1) === 0) this.#options.network.report(from, 'PEER_NOT_VALIDATOR');\n",
    to: '',
    test: DRIVER_TEST,
    only: 'pays for a flood',
  },
  {
    name: 'a chain that stands still is said by nobody',
    file: HEALTH,
    from: "    if (stall) raiseOnce('NO_FINAL_BLOCK', 'critical', { height: stall.height });\n",
    to: '',
    test: HEALTH_TEST,
    only: 'although one is due',
  },
  {
    name: 'readyz is green while the chain stands still',
    file: HEALTH,
    from: 'passed: stall === undefined,',
    to: 'passed: stall === undefined || view >= 0,',
    test: HEALTH_TEST,
    only: 'although one is due',
  },
  {
    name: 'an alarm that is over ends the process when the disk takes no word of it',
    file: 'node/feeds/alarm-raiser.ts',
    from: 'alarms.resolve(kind, detail, resolution).catch(saveLater)',
    to: 'alarms.resolve(kind, detail, resolution)',
    test: NODE_ALARMS_TEST,
    only: 'rejects nobody',
  },
  {
    name: 'that consensus cannot store is an alarm for ever',
    file: CHAIN_ALARMS,
    from: '    if (event === CONSENSUS_FAULT_OVER) resolveAll(String(fields.fault),',
    to: "    if (event === CONSENSUS_FAULT_OVER && event === '') resolveAll(String(fields.fault),",
    test: NODE_ALARMS_TEST,
    only: 'cannot be written',
  },
  {
    name: 'a vote log that was lost is no alarm',
    file: CHAIN_ALARMS,
    from: "  if (lost) raise('VOTE_LOG_LOST',",
    to: "  if (lost?.cause === undefined && lost) raise('VOTE_LOG_LOST',",
    test: NODE_ALARMS_TEST,
    only: 'that was lost',
  },
  {
    name: 'a node without a quorum takes transactions that no block can hold',
    file: 'node/submit.ts',
    from: "    if (stall) throw new ChainError('CHAIN_STALLED', { ...stall, ...quorumFacts() });\n",
    to: '',
    test: NODE_ALARMS_TEST,
    only: 'without a quorum',
  },
];
