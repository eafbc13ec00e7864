/**
 * Adapter: when a yamux stream grants its sender new room. The library grants after every frame it reads, so each vote costs a second frame
 * back, with its encryption, its system call and its reading on the other side. Here room is granted once half of it is used, as other
 * yamux libraries do; the protocol leaves the moment to the receiver. A stream of another make is left as it is.
 */
import type { Stream } from '@libp2p/interface';

const ESTABLISHED = 3; // StreamState of @chainsafe/libp2p-yamux

interface YamuxStream {
  state: number;
  recvWindow: number;
  recvWindowCapacity: number;
  sendWindowUpdate: () => void;
}

export function delayWindowUpdates(stream: Stream): void {
  const yamux = stream as unknown as Partial<YamuxStream>;
  const { sendWindowUpdate } = yamux;
  if (typeof sendWindowUpdate !== 'function' || typeof yamux.recvWindow !== 'number' || typeof yamux.recvWindowCapacity !== 'number')
    return;
  yamux.sendWindowUpdate = () => {
    if (yamux.state === ESTABLISHED && yamux.recvWindowCapacity! * 2 > yamux.recvWindow!) return;
    sendWindowUpdate.call(stream);
  };
}
