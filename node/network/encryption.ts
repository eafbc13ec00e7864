/**
 * Noise as the host and the bench use it (adapter). The library hands each message to TCP in two pieces, its length and its bytes, and TCP would write each
 * by itself: two system calls, two segments, and two reads at the other side for every vote. Here they are one.
 */
import { noise } from '@chainsafe/libp2p-noise';
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface';
import { createHandshakeCrypto } from './handshake-keys.ts';

export function createEncryption(): (components: Parameters<ReturnType<typeof noise>>[0]) => ConnectionEncrypter {
  const create = noise({ crypto: createHandshakeCrypto() });
  return (components) => {
    const encrypter = create(components);
    const inbound = encrypter.secureInbound.bind(encrypter);
    const outbound = encrypter.secureOutbound.bind(encrypter);
    return Object.assign(encrypter, {
      secureInbound: ((connection, options) => inbound(inOnePiece(connection), options)) satisfies typeof inbound,
      secureOutbound: ((connection, options) => outbound(inOnePiece(connection), options)) satisfies typeof outbound,
    });
  };
}

/** The same connection; what is sent over it leaves as one piece. */
function inOnePiece(connection: MessageStream): MessageStream {
  const send = connection.send.bind(connection);
  return Object.assign(connection, { send: ((data) => send(data.subarray())) satisfies typeof send });
}
