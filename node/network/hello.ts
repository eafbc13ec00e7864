/**
 * The first frame each side sends on every stream: who it is, of which chain, how far. Nothing else is delivered before the other side's
 * hello fits. Both sides judge for themselves, so both can say why a link was refused.
 */
import type { ErrorCode } from '../errors/index.ts';
import {
  DecodeError,
  decodeAll,
  DIGEST_BYTES,
  type Digest,
  domainTag,
  equalBytes,
  NAME_BYTES_MAX,
  tagged,
  Writer,
} from '../format/index.ts';
import type { Channel } from '../world.ts';

/** Raised when frames change; a node knows exactly the versions it lists. */
export const PROTOCOL_VERSION = 2;
export const HELLO_BYTES_MAX = 1024;

export interface Hello {
  readonly protocolVersion: number;
  readonly chainId: Digest;
  readonly genesisHash: Digest;
  readonly node: string;
  readonly channel: Channel;
  /** Last final height of the sender. */
  readonly height: number;
}

export function encodeHello(hello: Hello): Uint8Array {
  return tagged(
    'hello',
    new Writer(160)
      .u32(hello.protocolVersion)
      .fixed(hello.chainId, DIGEST_BYTES)
      .fixed(hello.genesisHash, DIGEST_BYTES)
      .text(hello.node)
      .u8(hello.channel === 'votes' ? 1 : 2)
      .u64(hello.height)
      .finish(),
  );
}

/** undefined when it is no hello at all. @throws DecodeError */
export function decodeHello(bytes: Uint8Array): Hello | undefined {
  const tag = domainTag('hello');
  if (bytes.length > HELLO_BYTES_MAX || !equalBytes(bytes.subarray(0, tag.length), tag)) return undefined;
  return decodeAll(bytes.subarray(tag.length), (r) => ({
    protocolVersion: r.u32(),
    chainId: r.fixed(DIGEST_BYTES),
    genesisHash: r.fixed(DIGEST_BYTES),
    node: r.text(NAME_BYTES_MAX),
    channel: readChannel(r.u8()),
    height: r.u64(),
  }));
}

function readChannel(number: number): Channel {
  if (number !== 1 && number !== 2) throw new DecodeError(`channel is ${number}`);
  return number === 1 ? 'votes' : 'bulk';
}

/** `OK`, or why the link must close. `provenNode` is the node id registered for the key that the handshake proved. */
export function judgeHello(bytes: Uint8Array, own: Hello, provenNode: string): { readonly code: ErrorCode; readonly hello?: Hello } {
  let hello: Hello | undefined;
  try {
    hello = decodeHello(bytes);
  } catch {
    return { code: 'PEER_HELLO_INVALID' };
  }
  if (hello === undefined) return { code: 'PEER_HELLO_INVALID' };
  if (!equalBytes(hello.chainId, own.chainId) || !equalBytes(hello.genesisHash, own.genesisHash))
    return { code: 'PEER_CHAIN_FOREIGN', hello };
  if (hello.protocolVersion !== own.protocolVersion) return { code: 'PEER_VERSION_UNKNOWN', hello };
  if (hello.node !== provenNode || hello.channel !== own.channel) return { code: 'PEER_HELLO_INVALID', hello };
  return { code: 'OK', hello };
}
