/** A cluster of four validators that are whole nodes, for a test that tells a story of its own. Nothing is booted yet. */
import assert from 'node:assert/strict';
import type { EngineParameters } from '../../consensus/index.ts';
import type { ChainParameters } from '../../node/format/index.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { FullNodes } from './full-node.ts';
import { type FullSetup, type FullSetupOptions, fullSetup, loadMachine } from './full-setup.ts';

const VALIDATORS = 4;

export interface FullCluster {
  readonly cluster: Cluster;
  readonly setup: FullSetup;
  readonly nodes: FullNodes;
}

export interface FullClusterOptions extends FullSetupOptions {
  /** Nodes in all: those past the four validators are none. */
  readonly nodeCount?: number;
  readonly faulty?: ClusterOptions['faulty'];
}

export async function fullCluster(
  seed: number,
  parameters: EngineParameters & Partial<ChainParameters>,
  { nodeCount = VALIDATORS, faulty, ...options }: FullClusterOptions = {},
): Promise<FullCluster> {
  const machine = await loadMachine();
  let setup: FullSetup | undefined;
  let nodes: FullNodes | undefined;
  const cluster = new Cluster({
    seed,
    nodes: nodeCount,
    validators: VALIDATORS,
    parameters,
    ...(faulty ? { faulty } : {}),
    factory: (create, cluster) => {
      setup ??= fullSetup(cluster, machine, VALIDATORS, parameters, options);
      nodes ??= new FullNodes(cluster, setup);
      return nodes.factory(create);
    },
  });
  if (setup === undefined || nodes === undefined) assert.fail('no factory was asked for');
  return { cluster, setup, nodes };
}
