/**
 * The gas table of executionVersion 1. One unit is 25 picoseconds of the reference machine (2.5 GHz class x86-64 server core, Node 20), so
 * 40,000 gas are a microsecond and the default `blockGasMax` of 20e9 is half a second, a quarter of the default view time-out
 * (design: execution, "Gas is time"). Prices are rather too high than too low: gas bounds work, nobody pays for it.
 * The whole table is part of the bundle digest: a changed number is a new executionVersion.
 */
import type { ChainParameters } from '../node/format/index.ts';
import { ContractFailure, type GasTank } from './types.ts';

export const GAS_PER_MICROSECOND = 40_000;

/** Host calls and fixed costs of a transaction. */
export const GAS = {
  /** Fixed part of every transaction: overlay, receipt, id row. */
  transaction: 800_000,
  /** Dispatch of one call. */
  call: 80_000,
  perArgumentByte: 20,
  read: 200_000,
  perByteRead: 40,
  /** A written key is hashed into the authenticated map, and stands in a change set and an undo row that reach the disk at commit. */
  write: 600_000,
  /** A key stands in its bucket of the map, in the change set and in the undo row. */
  perKeyByteWritten: 2_000,
  perByteWritten: 200,
  /** Finding the body of an earlier block, wherever on disk it stands. */
  body: 40_000_000,
  /**
   * It is read whole, with its checksums, and nobody knows its length before it is read: this is charged for every byte of the largest
   * block there may be.
   */
  perBlockByteMax: 40,
  /** Taking one transaction of it apart. */
  perBodyByte: 80,
  event: 120_000,
  perByteEmitted: 200,
  perResultByte: 100,
  hash: 60_000,
  perByteHashed: 60,
  /** One Ed25519 verification. */
  verify: 4_800_000,
  perByteVerified: 60,
  /** Taking an instance and restoring its memory before a deployed contract runs. */
  instance: 4_500_000,
  /** One page of 64 KiB of a contract's image, whatever stands in it: zero and freed memory is put back like any other. */
  imagePage: 400_000,
  /** Loading code, beside what the engine counts. */
  load: 12_000_000,
  /** One page of 64 KiB compared with the base image while an image is taken. */
  capturePage: 400_000,
  /** A byte of a new image: copied, hashed, stored. */
  perImageByteCaptured: 200,
  /** A failed call inside another: its trace, its facts and the way back. */
  failure: 800_000,
  /** Unwinding an engine that was stopped: up to a thousand frames. */
  stop: 8_000_000,
  /** Clearing all memory after the engine itself trapped. */
  trap: 200_000_000,
  perImageByte: 8,
  /** Checking the stored code of a deployed contract against its digest. */
  perCodeByte: 60,
  /** One crossing between contract and host. */
  hostCall: 40_000,
  /** JSON crossing the border is read, checked and written once more by the host. */
  perJsonByte: 500,
  /** A colon in such JSON, which is a name nearly always: names are hashed, sorted and looked up. */
  perJsonName: 30_000,
  /** One page of 64 KiB handed to the engine's allocator, zeroed again afterwards. */
  memoryPage: 800_000,
} as const;

/** Gas of reading a transaction of an earlier block, before it is taken apart: whoever asks pays for the largest block there may be. */
export function bodyGas({ blockBytesMax }: Pick<ChainParameters, 'blockBytesMax'>): number {
  return GAS.body + GAS.perBlockByteMax * blockBytesMax;
}

/** Weights inside the metered engine. */
export const WASM_GAS = {
  instruction: 10,
  memoryAccess: 20,
  division: 120,
  call: 75,
  callIndirect: 125,
  branchTable: 60,
  functionEntry: 40,
  bulk: 250,
  perByteMoved: 4,
  /** Functions that may be active at once; not a price, but frozen with them. */
  depthMax: 1_000,
} as const;

/** Most gas that loading a contract's code may use. A deployment pays what its code used, code that fails to load too. */
export const LOAD_GAS_MAX = 4_000_000_000;

/**
 * Memory of the images of all contracts that are not terminated, in bytes: so much every node keeps at hand from its start on, and no call
 * pays for loading.
 */
export const IMAGES_TOTAL_BYTES_MAX = 134_217_728;

/** Contracts that may be active inside one another, built-in ones counted. */
export const CALL_DEPTH_MAX = 8;

/** The gas of one transaction or query. Running out is a failure like any other, and takes all that was left. */
export class Tank implements GasTank {
  readonly limit: number;
  #left: number;

  /** @throws RangeError unless the limit is a non-negative safe integer. */
  constructor(limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError(`Cannot fill a tank with ${limit} gas`);
    this.limit = limit;
    this.#left = limit;
  }

  get left(): number {
    return this.#left;
  }

  get used(): number {
    return this.limit - this.#left;
  }

  use(units: number): void {
    if (units > this.#left) {
      this.#left = 0;
      throw new ContractFailure('GAS_EXHAUSTED', { gasLimit: this.limit });
    }
    this.#left -= units;
  }
}
