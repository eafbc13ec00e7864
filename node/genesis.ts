/** The genesis file: what all replicas must agree on from the first block. Its hash names the chain; chainId derives from it. */
import type { ChainParameters } from './format/index.ts';
import type { AccountKey, NodeData } from '../contracts/builtin/layout.ts';

export interface Genesis {
  readonly version: 1;
  readonly name: string;
  readonly timestampMs: number;
  readonly engine: 'pbft';
  readonly executionVersion: number;
  /** Only what differs from the defaults. */
  readonly parameters: Partial<ChainParameters>;
  readonly organisations: readonly { readonly id: string; readonly name: string }[];
  readonly nodes: readonly ({ readonly id: string; readonly organisation: string } & NodeData)[];
  readonly accounts: readonly {
    readonly id: string;
    readonly organisation: string;
    readonly type: 'person' | 'device' | 'service';
    readonly roles: readonly string[];
    readonly keys: readonly AccountKey[];
  }[];
  readonly factories: readonly { readonly id: string; readonly organisation: string; readonly name: string }[];
  readonly devices: readonly { readonly id: string; readonly organisation: string; readonly factory: string }[];
}
