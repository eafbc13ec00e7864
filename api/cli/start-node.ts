/** Puts the parts of a node together: the one place where adapters are chosen. */
import type { NodeConfig } from '../../node/config/index.ts';
import type { Genesis } from '../../node/genesis.ts';
import type { Keystore } from '../../node/keystore/index.ts';
import type { Terminal } from './terminal.ts';

export interface StartParts {
  /** Paths are absolute. */
  readonly config: NodeConfig;
  readonly genesisText: string;
  readonly genesis: Genesis;
  readonly keystore: Keystore;
  readonly tls: { readonly cert: string; readonly key: string };
  /** `{version: 1, credentials: [{account, passwordHash, totpSecret}]}` to import; undefined when there is no such file. */
  readonly credentialsText: string | undefined;
  readonly terminal: Terminal;
}

export interface RunningNode {
  /** `https://host:port` with the port really bound. */
  readonly url: string;
  /** Multiaddr listened on. */
  readonly p2pAddress: string;
  /** Resolves with an Error when the node cannot go on by itself; pending while all is well. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

export async function startNode(parts: StartParts): Promise<RunningNode> {
  throw new Error(`Cannot start ${parts.config.node}: the parts of the node are not assembled on this branch`);
}
