/**
 * What a replica has signed binds it after a restart. Replicas are killed again and again at moments when it matters, beside a traitor who
 * says the opposite to whoever has just come back; the cluster checks every word against those of earlier lives (words.ts).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type Vote } from '../../consensus/pbft/messages.ts';
import { equalBytes } from '../../node/format/index.ts';
import { byzantine } from './byzantine.ts';
import { Cluster } from './cluster.ts';
import { SeededRandom } from './random.ts';
import { healed } from './scenario.ts';

const PARAMETERS = { viewTimeoutMs: 200, viewTimeoutMaxMs: 400, idleBlockIntervalMs: 200, checkpointIntervalBlocks: 1 };
/** Simulated time of each story, ms, and how often something is handed in meanwhile. */
const STORY_MS = 10_000;
const HAND_IN_MS = 500;
/** Blocks are prepared and seldom final, so that views are bound; checkpoints are stable late, so that the log is cut in the middle of a height. */
const RARE: ReadonlySet<string> = new Set(['commit', 'checkpoint', 'committed']);

/** Four validators, one of whom proposes a twin to whoever has just come back. */
function withTurncoat(seed: number): Cluster {
  const faulty = new Map([[seed % 4, (random: SeededRandom) => byzantine('turncoat', random)]]);
  return new Cluster({ seed, nodes: 4, validators: 4, parameters: PARAMETERS, faulty });
}

function losesMost(draw: SeededRandom): Cluster['fabric']['loses'] {
  return (_from, _to, channel, frame) => channel === 'votes' && draw.chance(RARE.has(decodeMessage(frame).kind) ? 0.7 : 0.05);
}

async function goesOn(cluster: Cluster, storyMs = STORY_MS): Promise<void> {
  for (let round = 1; round <= storyMs / HAND_IN_MS; round++) {
    for (let i = 0; i < cluster.names.length; i++) cluster.submit(i, round);
    await cluster.run(HAND_IN_MS);
  }
}

test('replicas killed again and again beside a traitor who takes back its proposals contradict nothing they have said', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const draw = new SeededRandom(seed ^ 0x3e3);
    const cluster = withTurncoat(seed);
    cluster.bootAll();
    let over = false;
    const again = () =>
      cluster.scheduler.after(draw.integer(10, 250), () => {
        if (over) return;
        const i = draw.pick(cluster.honest());
        cluster.crash(i);
        cluster.scheduler.after(draw.integer(1, 60), () => cluster.boot(i));
        again();
      });
    again();
    cluster.fabric.loses = losesMost(draw);
    await goesOn(cluster);
    over = true;
    await healed(cluster);
  }
});

test('replicas killed when they have just entered a new view are bound by it', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const draw = new SeededRandom(seed ^ 0xb1d);
    const cluster = withTurncoat(seed);
    cluster.bootAll();
    let view = 0;
    const losesMostly = losesMost(draw);
    cluster.fabric.loses = (from, to, channel, frame) => {
      if (channel !== 'votes') return false;
      const message = decodeMessage(frame);
      if (message.kind === 'newView' && message.view > view) {
        view = message.view;
        for (const i of cluster.honest())
          cluster.scheduler.after(draw.integer(8, 25), () => {
            cluster.crash(i);
            cluster.scheduler.after(1, () => cluster.boot(i));
          });
      }
      if (message.kind === 'prePrepare' && view > 0) return draw.chance(0.7);
      return losesMostly(from, to, channel, frame);
    };
    await goesOn(cluster);
    cluster.fabric.loses = () => false;
    await healed(cluster);
  }
});

test('replicas killed right after their log was cut at a checkpoint contradict nothing they have said', async () => {
  for (let seed = 13; seed <= 20; seed++) {
    const draw = new SeededRandom(seed ^ 0xc07);
    const cluster = withTurncoat(seed);
    let cuts = 0;
    for (const i of cluster.honest()) {
      const machine = cluster.machines[i]!;
      machine.disk.onPersist = ({ stage, rewrite }) => rewrite && stage === 'after' && draw.chance(0.5) && cuts++ >= 0;
      machine.onKilled = () => cluster.scheduler.after(draw.integer(1, 20), () => cluster.boot(i));
    }
    cluster.bootAll();
    cluster.fabric.loses = losesMost(draw);
    await goesOn(cluster);
    assert.ok(cuts > 0, `seed ${seed}`);
    await healed(cluster);
  }
});

test('a replica killed when the cut of its log has left only what is live takes no twin of the block it has voted for', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const draw = new SeededRandom(seed ^ 0x11fe);
    const cluster = withTurncoat(seed);
    const victim = (seed + 1) % 4; // the turncoat is the one before
    const name = cluster.names[victim]!;
    /** The victim's vote: nothing is final for a while then, so that views fail, and the proposal does not reach it again. */
    let voted: Vote | undefined;
    let untilMs = 0;
    let cuts = 0;
    const held = () => cluster.scheduler.nowMs < untilMs;
    cluster.fabric.loses = (from, to, channel, frame) => {
      if (channel !== 'votes') return false;
      const message = decodeMessage(frame);
      if (from === name && message.kind === 'prepare' && message.height !== voted?.height) {
        voted = message;
        untilMs = cluster.scheduler.nowMs + PARAMETERS.viewTimeoutMs;
      }
      if (message.kind === 'commit' || message.kind === 'committed') return held();
      if (message.kind === 'checkpoint') return !held(); // stable in the middle of a height only
      return message.kind === 'prePrepare' && to === name && held() && equalBytes(message.digest, voted!.digest);
    };
    const machine = cluster.machines[victim]!;
    machine.disk.onPersist = ({ stage, rewrite }) => rewrite && stage === 'after' && held() && cuts++ >= 0;
    machine.onKilled = () => cluster.scheduler.after(draw.integer(1, 5), () => cluster.boot(victim));
    cluster.bootAll();
    await goesOn(cluster, 5_000);
    assert.ok(cuts > 0, `seed ${seed}`);
    cluster.fabric.loses = () => false;
    await healed(cluster);
  }
});

test('of several blocks prepared at one height the one of the highest view is proposed again', async () => {
  for (let seed = 1; seed <= 24; seed++) {
    const draw = new SeededRandom(seed ^ 0x71e5);
    const cluster = new Cluster({ seed, nodes: 4, validators: 4, parameters: PARAMETERS });
    cluster.bootAll();
    let view = 0;
    let prepares = cluster.names[0]!;
    // In each view one replica prepares alone. What it has prepared misses every other new view, which then decides on another block.
    cluster.fabric.loses = (from, to, channel, frame) => {
      if (channel !== 'votes') return false;
      const message = decodeMessage(frame);
      if (message.kind === 'newView' && message.view > view) {
        view = message.view;
        prepares = draw.pick(cluster.names);
      }
      if (message.kind === 'prepare') return to !== prepares;
      if (message.kind === 'viewChange') return from === prepares && view % 2 === 0;
      return message.kind === 'commit' || message.kind === 'committed';
    };
    await goesOn(cluster, 1_500);
    await healed(cluster);
  }
});
