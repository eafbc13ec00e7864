/** Metrics in Prometheus text, `chain_<layer>_<noun>_<unit>`; labels come from closed sets. Gauges are read from the node when asked for. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ApiDeps } from './deps.ts';

/** Phases an engine may state. */
const PHASES = ['observing', 'mute', 'excluded', 'committing', 'viewChange', 'prepared', 'proposed', 'building', 'idle'] as const;

export interface Metrics {
  readonly contentType: string;
  /** One call: `operationId` of the route table or `unknown`, `code` of the error table. */
  observe(operationId: string, code: string, seconds: number): void;
  streams(open: number): void;
  text(): Promise<string>;
}

export function createMetrics({
  node,
  records,
  exchanges,
  loopDelay,
  headroom,
  bodies,
}: Pick<ApiDeps, 'node' | 'records' | 'exchanges' | 'loopDelay' | 'headroom' | 'bodies'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const seconds = new Histogram({
    name: 'chain_network_call_seconds',
    help: 'Time of one REST call',
    labelNames: ['operation'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers,
  });
  const calls = new Counter({
    name: 'chain_network_calls_total',
    help: 'REST calls by outcome',
    labelNames: ['operation', 'code'],
    registers,
  });
  const streams = new Gauge({ name: 'chain_network_streams_count', help: 'Open event streams', registers });
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge('chain_consensus_height_blocks', 'Height of the last final block', () => node.head().height);
  gauge('chain_consensus_view_count', 'Current view', () => Number(node.consensus().details.view ?? 0));
  gauge('chain_consensus_head_seconds', 'Time of the last final block, seconds since 1970', () => node.head().timestampMs / 1_000);
  gauge('chain_consensus_due_seconds', 'Time since a block was due; 0 when none is', () => node.health().dueForMs / 1_000);
  gauge('chain_consensus_stalled_count', '1 while the chain stands still', () => (node.health().stalled ? 1 : 0));
  gauge('chain_consensus_failed_checks_count', 'Checks of readyz about votes, view, storing, sync and finality that fail', () => {
    return node.health().checks.filter((check) => !check.passed).length;
  });
  new Gauge({
    name: 'chain_consensus_phase_count',
    help: '1 for the phase this node is in',
    labelNames: ['phase'],
    registers,
    collect() {
      const { phase } = node.consensus();
      for (const name of PHASES) this.set({ phase: name }, name === phase ? 1 : 0);
    },
  });
  gauge('chain_network_peers_count', 'Connected peers', () => node.peers().filter((peer) => peer.connected).length);
  gauge('chain_network_broken_rules_count', 'Rules that the peers known now have broken', () =>
    node.peers().reduce((sum, peer) => sum + (peer.reports ?? 0), 0),
  );
  gauge('chain_network_cut_off_peers_count', 'Peers cut off for a while', () => node.peers().filter((peer) => peer.cutOffMs).length);
  gauge('chain_consensus_frames_dropped_count', 'Frames of peers without place in the inbox', () => node.inbox().dropped);
  gauge('chain_consensus_swept_bytes', 'Room of proposals that came to nothing, given back on disk', () => node.swept().bytes);
  gauge('chain_network_mempool_count', 'Waiting transactions', () => node.mempool().count);
  gauge('chain_network_mempool_bytes', 'Bytes of waiting transactions', () => node.mempool().bytes);
  gauge('chain_network_mempool_left_out_count', 'Waiting transactions that a proposer leaves out although its blocks have room', () =>
    node.leftOut(),
  );
  gauge('chain_network_mempool_held_back_count', 'Waiting transactions beyond the gas of their senders', () => node.mempool().heldBack);
  if (loopDelay) {
    new Gauge({
      name: 'chain_consensus_event_loop_delay_seconds',
      help: 'How long the thread that votes was held, over the last minute',
      labelNames: ['statistic'],
      registers,
      collect() {
        const { meanMs, p99Ms, maxMs } = loopDelay();
        for (const [statistic, ms] of Object.entries({ mean: meanMs, p99: p99Ms, max: maxMs })) this.set({ statistic }, ms / 1_000);
      },
    });
  }
  if (headroom) {
    gauge(
      'chain_application_headroom_ratio',
      'Part of their time that queries and bodies of records may take: it falls while the thread that votes comes late',
      () => headroom.part,
    );
  }
  if (bodies) {
    gauge('chain_application_bodies_waiting_count', 'Bodies of records that wait for their thread', () => bodies().waiting);
    gauge('chain_application_bodies_work_seconds', 'Time that bodies of records took in their thread', () => bodies().workSeconds);
    gauge(
      'chain_application_bodies_ended_count',
      'Bodies of records that took too much, so that their thread was ended',
      () => bodies().ended,
    );
  }
  gauge('chain_application_submissions_under_way_count', 'Submissions of records that are sent and not known to be over', () =>
    records.underWay(),
  );
  gauge('chain_application_records_coalesced_count', 'Records that came alone and were sent in one transaction with others', () =>
    records.gathered(),
  );
  gauge('chain_application_exchanges_count', 'Entries of the exchange log', () => exchanges.head().sequence);
  return {
    contentType: registry.contentType,
    observe(operation, code, time) {
      seconds.observe({ operation }, time);
      calls.inc({ operation, code });
    },
    streams: (open) => streams.set(open),
    text: () => registry.metrics(),
  };
}
