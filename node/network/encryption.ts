/**
 * Noise as the host and the bench use it (adapter). The library hands each message to TCP in two pieces, its length and its bytes, and TCP
 * would write each by itself: two system calls, two segments, and two reads at the other side for every vote. Here they are one. Where the
 * bytes end with a message, the library learns from an exception that no further length is there; that was a fifth of reading a vote. Here
 * it gets a length instead that makes it wait.
 */
import { noise } from '@chainsafe/libp2p-noise';
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface';
import { createHandshakeCrypto } from './handshake-keys.ts';

/** Before each message, and the longest that they can say. */
const LENGTH_BYTES = 2;
const MESSAGE_BYTES_MAX = 65_535;

export function createEncryption(): (components: Parameters<ReturnType<typeof noise>>[0]) => ConnectionEncrypter {
  const create = noise({ crypto: createHandshakeCrypto() });
  return (components) => {
    const encrypter = create(components);
    const inbound = encrypter.secureInbound.bind(encrypter);
    const outbound = encrypter.secureOutbound.bind(encrypter);
    return Object.assign(encrypter, {
      secureInbound: (async (connection, options) =>
        withoutExceptions(await inbound(inOnePiece(connection), options))) satisfies typeof inbound,
      secureOutbound: (async (connection, options) =>
        withoutExceptions(await outbound(inOnePiece(connection), options))) satisfies typeof outbound,
    });
  };
}

/** The same connection; what is sent over it leaves as one piece. */
function inOnePiece(connection: MessageStream): MessageStream {
  const send = connection.send.bind(connection);
  return Object.assign(connection, { send: ((data) => send(data.subarray())) satisfies typeof send });
}

/**
 * The library is given a length longer than any message while none has begun, so that it waits for bytes. Streams of other kinds stay as
 * they are.
 */
function withoutExceptions<Secured extends { readonly connection: object }>(secured: Secured): Secured {
  const { decoder } = secured.connection as { decoder?: { lengthDecoder?: (bytes: { readonly byteLength: number }) => number } };
  const lengthOf = decoder?.lengthDecoder;
  if (lengthOf) decoder.lengthDecoder = (bytes) => (bytes.byteLength < LENGTH_BYTES ? MESSAGE_BYTES_MAX + 1 : lengthOf(bytes));
  return secured;
}
