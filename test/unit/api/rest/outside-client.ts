/** A client in a process of its own, so that what it does holds no thread of the server's. Told by messages: first what to send, then to send it. */
import { Agent, request } from 'node:https';

export interface Prepared {
  readonly port: number;
  readonly ca: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Goes away after so many bytes of the answer. */
  readonly bytesMax: number;
}
export interface Answered {
  readonly status: number;
  /** How the answer begins, or why there was none. */
  readonly text: string;
}

const agent = new Agent({ keepAlive: true });
let prepared: Prepared | undefined;

process.on('message', (message: Prepared | 'send') => {
  if (message !== 'send') {
    prepared = message;
    process.send!({ status: 0, text: 'prepared' } satisfies Answered);
    return;
  }
  send(prepared!).then(
    (answer) => process.send!(answer),
    (error: unknown) => process.send!({ status: 0, text: String(error) } satisfies Answered),
  );
});
process.on('disconnect', () => agent.destroy());

function send({ body, bytesMax, ...options }: Prepared): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const call = request({ ...options, host: '127.0.0.1', agent, headers: { ...options.headers, ...length } }, (answer) => {
      let bytes = 0;
      let text = '';
      const done = (): void => resolve({ status: answer.statusCode!, text });
      answer.on('data', (chunk: Buffer) => {
        if (text.length < 300) text += chunk.toString('utf8', 0, 300);
        bytes += chunk.length;
        if (bytes > bytesMax) answer.destroy();
      });
      answer.once('close', done);
    });
    call.once('error', reject);
    call.end(body);
  });
}
